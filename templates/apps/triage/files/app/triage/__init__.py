"""Support tickets: from arrival to an answer that a person sends."""

from fastapi import FastAPI

from app.services import Services


def setup(app: FastAPI, services: Services) -> None:
    # Imported here, so that a module that needs only a part does not load the pages.
    from app.core.pages import Link
    from app.triage import pages, presentation, repository, routes
    from app.triage.feed import Feed
    from app.triage.settings import TriageSettings

    settings = TriageSettings()
    feed = Feed(services.database, settings.feed_poll_s)
    services.lifespans.append(feed.lifespan)
    app.state.triage_feed = feed
    app.mount(presentation.STATIC_URL, presentation.static_files(), name="triage-static")
    app.include_router(routes.router)
    app.include_router(pages.streams)
    app.include_router(pages.router)
    services.outdated.append(lambda now: repository.outdated(now, settings.keep_text_days))
    services.links.append(Link("/inbox", "Inbox", "tickets:read", 10))
    services.links.append(Link("/help", "Help articles", "tickets:read", 20))
