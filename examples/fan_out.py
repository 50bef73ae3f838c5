"""Many prompts over four slots. Each has a result of its own: one that fails loses nothing of the others."""

import asyncio

from claude_pool_gh import ClaudeAgent, Pool, TaskOverrides

FILES = ["README.md", "pyproject.toml", "Makefile", "LICENSE", "action.yml", "no-such-file.txt"]
ANSWER = {
    "type": "object",
    "required": ["purpose", "reader"],
    "additionalProperties": False,
    "properties": {"purpose": {"type": "string"}, "reader": {"type": "string"}},
}


async def main() -> None:
    typed = TaskOverrides(json_schema=ANSWER, max_turns=5)
    async with Pool.open(ClaudeAgent(), slots=4) as pool:
        prompts = [f"What is {file} for, and who reads it?" for file in FILES]
        results = await pool.fan_out(prompts, config=typed, tags=["files"])
        for file, result in zip(FILES, results, strict=True):
            print(f"{file}: {result.structured['purpose'] if result.success else result.reason}")
        print(f"all together: ${(await pool.metrics()).total_spend_microdollars / 1e6:.4f}")


asyncio.run(main())
