"""What a browser says of itself, in words for its owner."""

# In this order: each of them also claims to be some that follow.
_BROWSERS = {
    "Edg/": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
_SYSTEMS = {
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def name_of(user_agent: str) -> str:
    """Such as "Firefox on Linux"; what is unknown is shown as it came."""
    browser = next((name for sign, name in _BROWSERS.items() if sign in user_agent), None)
    system = next((name for sign, name in _SYSTEMS.items() if sign in user_agent), None)
    if browser is None:
        return user_agent[:60] or "An unknown browser"
    return f"{browser} on {system}" if system else browser
