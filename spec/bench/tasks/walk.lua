-- rollcall's part of the walk: WALK_URL, WALK_TOKEN and WALK_ORGANIZATION say what to walk,
-- WALK_CA_FILE whom to trust where it is https.

local rollcall = require "rollcall"

local tesouro = rollcall.tesouro {
  base_url = os.getenv "WALK_URL",
  token = os.getenv "WALK_TOKEN",
  ca_file = os.getenv "WALK_CA_FILE",
  proxy = "",
}

local users, emails, named, active = 0, 0, 0, 0
for user in tesouro:users { organization_id = os.getenv "WALK_ORGANIZATION" } do
  users = users + 1
  emails = emails + #user.email
  if user.name then
    named = named + 1
  end
  if user.status == "ACTIVE" then
    active = active + 1
  end
end
print(("walked %d %d %d %d"):format(users, emails, named, active))
