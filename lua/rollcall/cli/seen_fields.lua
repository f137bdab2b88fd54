-- Which of the fields that a command asks for were found in users: one that no user has is a mistake in a name, or
-- something that the source does not report, and no result.

local path = require "rollcall.path"

---@class rollcall.cli.SeenFields
---@field names string[]
---@field missing table<rollcall.cli.Source, { name: string, get: fun(user: any): any }[]> not seen yet
---@field users table<rollcall.cli.Source, integer> number of users checked
local SeenFields = {}
SeenFields.__index = SeenFields

local seen_fields = {}

---@param ... string[] names of fields
---@return rollcall.cli.SeenFields
function seen_fields.new(...)
  local names = {}
  for i = 1, select("#", ...) do
    for _, name in ipairs((select(i, ...))) do
      names[#names + 1] = name
    end
  end
  return setmetatable({ names = names, missing = {}, users = {} }, SeenFields)
end

--- Checks a user's fields.
---@param user rollcall.User
---@param source rollcall.cli.Source
function SeenFields:see(user, source)
  local missing = self.missing[source]
  if not missing then
    missing = {}
    for i, name in ipairs(self.names) do
      missing[i] = { name = name, get = path.compile(name) }
    end
    self.missing[source], self.users[source] = missing, 0
  end
  self.users[source] = self.users[source] + 1
  for i = #missing, 1, -1 do
    if missing[i].get(user) ~= nil then
      table.remove(missing, i)
    end
  end
end

--- The sources that have had users, but none with this field, and the number of their users. A source that failed is
--- left out: it may have had more.
---@param name string
---@param sources rollcall.cli.Source[]
---@return string[] names of them
---@return integer users
---@return boolean is_nowhere no user of any source had it, as far as that is certain
function SeenFields:without(name, sources)
  local list, users, is_nowhere = {}, 0, true
  for _, source in ipairs(sources) do
    local lacks = false
    for _, one in ipairs(self.missing[source] or {}) do
      lacks = lacks or one.name == name
    end
    if lacks and source.has_failed then
      is_nowhere = false
    elseif lacks then
      list[#list + 1] = source.name
      users = users + self.users[source]
    elseif self.missing[source] then
      is_nowhere = false
    end
  end
  return list, users, is_nowhere and #list > 0
end

return seen_fields
