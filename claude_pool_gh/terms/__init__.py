"""The frozen values that several rooms exchange: ids, roles, severities, safe Markdown. Nothing else."""
