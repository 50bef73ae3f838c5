"""The frozen values that several packages exchange: ids, roles, severities, safe Markdown. Nothing else."""
