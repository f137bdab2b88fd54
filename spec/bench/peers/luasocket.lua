-- The walk by LuaSocket's sockets and lua-cjson: HTTP/1.1 by hand, on one kept connection.

local cjson = require "cjson"
local socket = require "socket"

local host, port = os.getenv("WALK_URL"):match "^http://([^:]+):(%d+)$"
local connection = assert(socket.connect(host, tonumber(port)))
connection:setoption("tcp-nodelay", true)

local head = table.concat({
  " HTTP/1.1",
  "Host: " .. host .. ":" .. port,
  "Authorization: Bearer " .. os.getenv "WALK_TOKEN",
  "X-Organization-ID: " .. os.getenv "WALK_ORGANIZATION",
  "Accept: application/json",
  "",
  "",
}, "\r\n")

local function get(path)
  assert(connection:send("GET " .. path .. head))
  local status = assert(connection:receive "*l")
  assert(status:find "^HTTP/1.1 200", status)
  local length, line
  repeat
    line = assert(connection:receive "*l")
    length = length or line:lower():match "^content%-length: *(%d+)"
  until line == ""
  return (assert(connection:receive(tonumber(length))))
end

local function escape(text)
  return (text:gsub("[^%w]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

local users, emails, named, active = 0, 0, 0, 0
local page
repeat
  local token = page and page.nextPaginationToken
  page = cjson.decode(get("/identity/v1/users?Limit=100" .. (token and "&PaginationToken=" .. escape(token) or "")))
  for _, user in ipairs(page.data) do
    users = users + 1
    emails = emails + #user.email
    if user.name ~= cjson.null then
      named = named + 1
    end
    if user.status == "ACTIVE" then
      active = active + 1
    end
  end
until page.nextPaginationToken == cjson.null
print(("walked %d %d %d %d"):format(users, emails, named, active))
