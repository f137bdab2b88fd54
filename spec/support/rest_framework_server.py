"""Django REST framework with a directory of users, for spec/rest_framework_spec.lua:

    python3 rest_framework_server.py COUNT PORT_FILE

It serves /offset/, /page/ and /cursor/, one a pagination class of the framework's, on a free port of loopback, writes
the port to the file, and ends with its standard input.
"""

import os
import sys
import threading

import django
from django.conf import settings

count, port_file = int(sys.argv[1]), sys.argv[2]
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "file:users?mode=memory&cache=shared"}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],  # says the length, so that connections stay open
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="none of its pages is signed",
)
django.setup()

from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.urls import path
from rest_framework import generics, pagination, serializers


class User(models.Model):
    email = models.TextField()
    name = models.TextField()
    status = models.TextField()

    class Meta:
        app_label = "directory"


class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "email", "name", "status"]


class ByOffset(pagination.LimitOffsetPagination):
    default_limit = 10
    max_limit = 100


class ByPage(pagination.PageNumberPagination):
    page_size = 10
    page_size_query_param = "page_size"
    max_page_size = 100


class ByCursor(pagination.CursorPagination):
    ordering = "id"
    page_size = 10
    page_size_query_param = "page_size"
    max_page_size = 100


class Users(generics.ListAPIView):
    serializer_class = UserSerializer

    def get_queryset(self):
        status = self.request.query_params.get("status")
        users = User.objects.order_by("id")
        return users.filter(status=status) if status else users


urlpatterns = [
    path("offset/", Users.as_view(pagination_class=ByOffset)),
    path("page/", Users.as_view(pagination_class=ByPage)),
    path("cursor/", Users.as_view(pagination_class=ByCursor)),
]

with connection.schema_editor() as editor:
    editor.create_model(User)
User.objects.bulk_create(
    User(
        email=f"user{number}@example.com",
        name=f'Ünï "{number}" 漢字' if number % 7 == 0 else f"User {number}",
        status="off" if number % 3 == 0 else "on",
    )
    for number in range(1, count + 1)
)


class Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # it writes heads and bodies one by one

    def log_message(self, *_):
        pass


server = ThreadedWSGIServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.set_app(get_wsgi_application())
threading.Thread(target=server.serve_forever, daemon=True).start()
with open(port_file, "w") as file:
    file.write(f"{server.server_address[1]}\n")
sys.stdin.read()
os._exit(0)
