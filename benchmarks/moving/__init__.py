"""Things that move before a scene: cut out of photographs, put into others with exact motion."""
