"""The two projects that the sandbox plays: a web and a mobile one, each with its key pair."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Project:
    """One Amplitude project.

    name: "web" or "mobile"; project_id: the vendor's number, `app` of each row and part of member
    names; client_id, secret_key: the pair for basic auth; region: "us" or "eu", where the pair is
    valid.
    """

    name: str
    project_id: int
    client_id: str
    secret_key: str = field(repr=False)
    region: str = "us"


WEB = Project("web", 434735, "sandbox-web-client-id", "sandbox-web-secret-key")
MOBILE = Project("mobile", 100011471, "sandbox-mobile-client-id", "sandbox-mobile-secret-key")

#: Project id per name, for whoever makes rows without knowing the key pairs.
PROJECT_IDS = {project.name: project.project_id for project in (WEB, MOBILE)}
