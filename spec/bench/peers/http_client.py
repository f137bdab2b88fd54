"""The walk by Python's http.client and json: one kept connection."""

import http.client
import json
import os
import ssl
import urllib.parse


def main():
    url = urllib.parse.urlsplit(os.environ["WALK_URL"])
    if url.scheme == "https":
        context = ssl.create_default_context(cafile=os.environ["WALK_CA_FILE"])
        connection = http.client.HTTPSConnection(url.hostname, url.port, context=context)
    else:
        connection = http.client.HTTPConnection(url.hostname, url.port)
    headers = {
        "Authorization": "Bearer " + os.environ["WALK_TOKEN"],
        "X-Organization-ID": os.environ["WALK_ORGANIZATION"],
        "Accept": "application/json",
    }
    users = emails = named = active = 0
    parameters = {"Limit": "100"}
    while True:
        connection.request("GET", "/identity/v1/users?" + urllib.parse.urlencode(parameters), headers=headers)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        page = json.loads(body)
        for user in page["data"]:
            users += 1
            emails += len(user["email"])
            if user["name"] is not None:
                named += 1
            if user["status"] == "ACTIVE":
                active += 1
        if page["nextPaginationToken"] is None:
            break
        parameters["PaginationToken"] = page["nextPaginationToken"]
    print("walked", users, emails, named, active)


main()
