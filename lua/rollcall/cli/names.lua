-- The names that users' fields have, so that a mistake in one is told before a walk and not by an empty
-- column after it. Providers of a user's own may have any; a JSON Pointer is never checked.

local failure = require "rollcall.cli.failure"
local schema = require "rollcall.schema"

local names = {}

--- The common ones, in the order in which they are written.
names.COMMON = { "id", "email", "name", "status", "role_names", "mfa", "last_seen_at", "created_at", "updated_at",
  "account_id", "account_name", "provider" }

--- The own ones of the built-in providers, as they are documented.
local DOCUMENTED_FIELDS = {
  tesouro = { "createdDateTime", "department", "isExpenseApprover", "jobTitle", "lastLoggedInDateTime", "location",
    "organizationId", "organizationName", "role" },
  dintero = { "agreement", "authentication_type", "configuration", "created_by", "deleted_at", "deleted_by", "roles",
    "scope" },
}

--- Ends the command where no user of these sources can have such a field.
---@param list string[] fields
---@param clients rollcall.Client[]
---@param what string names the option
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
      return -- nobody says what its users have
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
