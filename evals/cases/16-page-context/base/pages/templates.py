"""The layout."""

from __future__ import annotations

from string import Template

LAYOUT = Template(
    """<!doctype html>
<html lang="$language">
<head>
<meta charset="utf-8">
<meta name="robots" content="$robots">
<title>$title – $site_name</title>
</head>
<body>
$body
</body>
</html>
"""
)
