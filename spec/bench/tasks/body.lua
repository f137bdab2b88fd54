-- One body of very many users: BODY_URL, BODY_ACCOUNT and BODY_TOKEN say where it is.
--
--   body.lua        walks it all and reads three fields of each
--   body.lua first  stops at the first user, and prints when it came

local core = require "rollcall.core"
local rollcall = require "rollcall"

local port = os.getenv "RELAY_PORT"
local dintero = rollcall.dintero {
  base_url = port and "http://127.0.0.1:" .. port or os.getenv "BODY_URL",
  account = os.getenv "BODY_ACCOUNT",
  token = os.getenv "BODY_TOKEN",
  proxy = "",
}

if arg[1] == "first" then
  assert(dintero:users():first())
  print(("first_user %.6f"):format(core.now()))
  dintero:close()
  return
end

local users, emails, named = 0, 0, 0
for user in dintero:users() do
  users = users + 1
  emails = emails + #user.email
  if user.name then
    named = named + 1
  end
  if user.id == nil then
    error "a user without an id"
  end
end
print(("walked %d %d %d"):format(users, emails, named))
