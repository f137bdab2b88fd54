-- The walk by Debian's lua-curl (0.3, for the Lua 5.1 API) and lua-cjson.

local cjson = require "cjson"
local curl = require "curl"

local easy = curl.easy_init()
local pieces, count

easy:setopt(curl.OPT_PROXY, "")
easy:setopt(curl.OPT_FAILONERROR, 1)
if os.getenv "WALK_CA_FILE" then
  easy:setopt(curl.OPT_CAINFO, os.getenv "WALK_CA_FILE")
end
easy:setopt(curl.OPT_HTTPHEADER, {
  "Authorization: Bearer " .. os.getenv "WALK_TOKEN",
  "X-Organization-ID: " .. os.getenv "WALK_ORGANIZATION",
  "Accept: application/json",
})
easy:setopt(curl.OPT_WRITEFUNCTION, function(bytes, length)
  count = count + 1
  pieces[count] = bytes
  return length
end)

local function get(url)
  pieces, count = {}, 0
  easy:setopt(curl.OPT_URL, url)
  assert(easy:perform())
  return table.concat(pieces)
end

local users, emails, named, active = 0, 0, 0, 0
local url = os.getenv "WALK_URL" .. "/identity/v1/users?Limit=100"
local page
repeat
  local token = page and page.nextPaginationToken
  page = cjson.decode(get(token and url .. "&PaginationToken=" .. curl.escape(token) or url))
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
