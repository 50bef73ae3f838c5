"""Slots of this process: what each decides, how many there are, and which go back into service."""

from __future__ import annotations

from collections.abc import Sequence

from claude_pool_gh.pool.core import Core
from claude_pool_gh.pool.model.config import PoolConfig, SlotConfig
from claude_pool_gh.pool.model.errors import ScalingRefused, UnknownSlot
from claude_pool_gh.pool.run.slots import Slot
from claude_pool_gh.pool.store import slot_rows


def check_bounds(config: PoolConfig, count: int) -> None:
    """Raise ScalingRefused for a number of slots outside the bounds."""
    least, most = config.scaling.min_slots, config.scaling.max_slots
    if not least <= count <= most:
        raise ScalingRefused(
            f"{count} slots are not between {least} and {most}; see PoolConfig.scaling"
        )


def configs(slots: int | Sequence[SlotConfig]) -> list[SlotConfig]:
    """The settings of each slot. Raises ValueError for a number below 0."""
    if not isinstance(slots, int):
        return list(slots)
    if slots < 0:
        raise ValueError(f"`slots` is {slots}: a pool has at least one slot")
    return [SlotConfig()] * slots


async def configure(core: Core, slot_id: str, config: SlotConfig) -> None:
    """See `Pool.configure_slot`."""
    slot = _slot(core, slot_id)
    await core.database.transact(lambda tx: slot_rows.configure(tx, slot_id, config))
    core.slots.configure(slot, config)


async def restart(core: Core, slot_id: str) -> None:
    """See `Pool.restart_slot`."""
    await core.supervisor.restart(_slot(core, slot_id))


async def up(core: Core, count: int, config: SlotConfig) -> list[str]:
    """See `Pool.scale_up`."""
    if count < 0:
        raise ScalingRefused(
            f"{count} more slots are fewer: to have fewer slots, use scale_down({-count})"
        )
    check_bounds(core.config, core.slots.count + count)
    configs = [config] * count
    names = await core.database.transact(lambda tx: slot_rows.register(tx, core.worker, configs))
    try:
        check_bounds(core.config, core.slots.count + count)  # another call may have been faster
    except ScalingRefused:
        await core.database.transact(lambda tx: slot_rows.remove(tx, names))
        raise
    core.slots.add(Slot(name, own) for name, own in zip(names, configs, strict=True))
    core.dispatcher.wake()
    return names


def down(core: Core, count: int) -> list[str]:
    """See `Pool.scale_down`."""
    if count < 0:
        raise ScalingRefused(
            f"{count} fewer slots are more: to have more slots, use scale_up({-count})"
        )
    if count > core.slots.count:
        raise ScalingRefused(f"{count} slots cannot go: this process has {core.slots.count}")
    check_bounds(core.config, core.slots.count - count)
    return [slot.id for slot in core.slots.retire(count)]


def _slot(core: Core, slot_id: str) -> Slot:
    found = next((slot for slot in core.slots.all if slot.id == slot_id), None)
    if found is None:
        raise UnknownSlot(f"this process has no slot {slot_id!r}")
    return found
