"""The steps of an audit that run without a model: the plan, the check of claims, and what comes of them."""
