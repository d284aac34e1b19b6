"""What launch files share: arguments checked before anything starts, drivers, views."""
