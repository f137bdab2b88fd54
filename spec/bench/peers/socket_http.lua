-- The walk by LuaSocket's own client, or LuaSec's for https, and lua-cjson, as most scripts have it: a
-- connection for each page, because neither client keeps one.

local cjson = require "cjson"
local ltn12 = require "ltn12"
local escape = require("socket.url").escape

local base, ca_file = os.getenv "WALK_URL", os.getenv "WALK_CA_FILE"
local http = require(ca_file and "ssl.https" or "socket.http")

local function get(target)
  local pieces = {}
  local _, status = http.request {
    url = base .. target,
    headers = {
      ["Authorization"] = "Bearer " .. os.getenv "WALK_TOKEN",
      ["X-Organization-ID"] = os.getenv "WALK_ORGANIZATION",
      ["Accept"] = "application/json",
    },
    sink = ltn12.sink.table(pieces),
    cafile = ca_file, -- what follows is LuaSec's
    verify = ca_file and "peer",
  }
  assert(status == 200, status)
  return table.concat(pieces)
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
