"""The canteen's menu."""
