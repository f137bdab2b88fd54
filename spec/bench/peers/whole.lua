-- One body by LuaSocket and lua-cjson: read whole, then decoded, then walked.

local cjson = require "cjson"
local socket = require "socket"

local host, port = os.getenv("BODY_URL"):match "^http://([^:]+):(%d+)$"
local connection = assert(socket.connect(host, tonumber(port)))
assert(connection:send(table.concat({
  ("GET /v1/accounts/%s/management/users HTTP/1.1"):format(os.getenv "BODY_ACCOUNT"),
  "Host: " .. host .. ":" .. port,
  "Authorization: Bearer " .. os.getenv "BODY_TOKEN",
  "Accept: application/json",
  "",
  "",
}, "\r\n")))

local status = assert(connection:receive "*l")
assert(status:find "^HTTP/1.1 200", status)
local chunked = false
local line
repeat
  line = assert(connection:receive "*l")
  chunked = chunked or line:lower():find "^transfer%-encoding: *chunked" ~= nil
until line == ""
assert(chunked, "a length is not expected of a body that is made as it goes")

local pieces, count = {}, 0
local size = tonumber(assert(connection:receive "*l"), 16)
while size > 0 do
  count = count + 1
  pieces[count] = assert(connection:receive(size))
  assert(connection:receive "*l")
  size = tonumber(assert(connection:receive "*l"), 16)
end

local users, emails, named = 0, 0, 0
for _, user in ipairs(cjson.decode(table.concat(pieces))) do
  users = users + 1
  emails = emails + #user.email
  if user.name ~= nil and user.name ~= cjson.null then
    named = named + 1
  end
  if user.id == nil then
    error "a user without an id"
  end
end
print(("walked %d %d %d"):format(users, emails, named))
