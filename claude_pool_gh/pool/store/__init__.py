"""Every statement to the pool's tables: chains, tasks, slots, money, approvals, and what is asked of them."""
