-- The names of users' fields, so that a mistake in one is reported before a walk and not shown as an empty column after
-- it. Custom providers may have any; a JSON Pointer is never checked.

local failure = require "rollcall.cli.failure"
local schema = require "rollcall.schema"

local names = {}

--- The common ones, in output order.
names.COMMON = { "id", "email", "name", "status", "role_names", "mfa", "last_seen_at", "created_at", "updated_at",
  "account_id", "account_name", "provider" }

--- The built-in providers' own ones, as documented.
local DOCUMENTED_FIELDS = {
  tesouro = { "createdDateTime", "department", "isExpenseApprover", "jobTitle", "lastLoggedInDateTime", "location",
    "organizationId", "organizationName", "role" },
  dintero = { "agreement", "authentication_type", "configuration", "created_by", "deleted_at", "deleted_by", "roles",
    "scope" },
}

--- Ends the command if no user of these sources can have one of these fields.
---@param list string[] fields
---@param clients rollcall.Client[]
---@param what string the option's name
---@param extra string[]? further names
function names.check(list, clients, what, extra)
  local known, all = {}, {}
  local function add(name)
    if not known[name] then
      known[name] = true
      all[#all + 1] = name
    end
  end
  for _, group in ipairs { names.COMMON, extra or {} } do
    for _, name in ipairs(group) do
      add(name)
    end
  end
  for _, client in ipairs(clients) do
    local own = DOCUMENTED_FIELDS[client.provider.name]
    if not own then
      return -- it is not known what its users have
    end
    for _, name in ipairs(own) do
      add(name)
    end
  end
  for _, name in ipairs(list) do
    local first = name:match "^[^.]+"
    if name:sub(1, 1) ~= "/" and not known[first] then
      local near = schema.nearest(first, all)
      table.sort(all)
      failure.usage("%s: users of %s have no field %s; %s A field that this version does not know: /%s", what,
        #clients == 1 and clients[1].provider.name or "these sources", first,
        near and ("did you mean %s?"):format(near) or "they have " .. table.concat(all, ", ") .. ".", first)
    end
  end
end

return names
