"""django-oauth-toolkit as a provider on loopback, with Django's own login page.

Arguments: port, directory for its database, lifetime of access tokens in seconds. Its user is
"jane", its clients are those that setup() makes.
"""

import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command
from django.urls import include, path

PORT, DIRECTORY, LIFE = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

settings.configure(
    SECRET_KEY="loopback only",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    LOGIN_URL="/admin/login/",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": DIRECTORY / "db",
            # Nothing here outlives the test: waiting for the disk would only make it slow.
            "OPTIONS": {"init_command": "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;"},
        }
    },
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    STATIC_URL="/static/",
    OAUTH2_PROVIDER={
        "ACCESS_TOKEN_EXPIRE_SECONDS": LIFE,
        "ROTATE_REFRESH_TOKEN": True,
        "REFRESH_TOKEN_REUSE_PROTECTION": True,
        "PKCE_REQUIRED": True,
        "SCOPES": {"imap": "read mail", "smtp": "send mail", "introspection": "ask about tokens"},
        "ALLOWED_REDIRECT_URI_SCHEMES": ["http"],
    },
)
django.setup()

from django.contrib import admin  # noqa: E402 (models need the settings)
from django.contrib.auth.models import User  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402

urlpatterns = [
    path("admin/", admin.site.urls),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]


def setup():
    """A user, a public client as pizauth is one, and a client that may ask about tokens."""
    call_command("migrate", verbosity=0)
    jane = User.objects.create_superuser("jane", password="any password does")
    common = {"user": jane, "hash_client_secret": False}
    Application.objects.create(
        name="pizauth",
        client_id="pizauth",
        client_type="public",
        authorization_grant_type="authorization-code",
        redirect_uris="http://127.0.0.1/ http://[::1]/",
        **common,
    )
    Application.objects.create(
        name="inspector",
        client_id="inspector",
        client_secret="inspector-secret",
        client_type="confidential",
        authorization_grant_type="client-credentials",
        **common,
    )


if not (DIRECTORY / "db").exists():
    setup()
call_command("runserver", f"127.0.0.1:{PORT}", use_reloader=False)
