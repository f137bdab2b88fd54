-- What a user of the sandbox's data must look like to a script: the table of common fields, computed
-- from the data alone.

local check = require "spec.support.check"
local rollcall = require "rollcall"

local users = {}

local null = rollcall.null

local function present(value)
  if value == null then
    return nil
  end
  return value
end

local function at(user, ...)
  local value = user
  for _, key in ipairs { ... } do
    value = type(value) == "table" and present(value[key]) or nil
  end
  return value
end

--- The common fields of one of Dintero's users, by name; those that are nil are not there.
function users.dintero(user, account)
  local mfa = nil
  if at(user, "configuration", "mfa") then
    mfa = at(user, "configuration", "mfa", "sms", "enabled") == true
      or at(user, "configuration", "mfa", "totp", "enabled") == true
  end
  local names
  if present(user.roles) then
    names = {}
    for i, role in ipairs(user.roles) do
      names[i] = role.name
    end
  end
  return {
    id = present(user.id), email = present(user.email), name = present(user.name),
    status = present(user.deleted_at) and "DELETED" or "ACTIVE",
    created_at = present(user.created_at), updated_at = present(user.updated_at),
    last_seen_at = present(user.last_seen_at),
    account_id = account, role_names = names, mfa = mfa, provider = "dintero",
  }
end

--- The same for one of Tesouro's.
function users.tesouro(user)
  return {
    id = present(user.id), email = present(user.email), name = present(user.name), status = present(user.status),
    created_at = present(user.createdDateTime), last_seen_at = present(user.lastLoggedInDateTime),
    account_id = present(user.organizationId), account_name = present(user.organizationName),
    role_names = present(user.role) and { user.role } or nil, provider = "tesouro",
  }
end

local COMMON = { "id", "email", "name", "status", "created_at", "updated_at", "last_seen_at", "account_id",
  "account_name", "role_names", "mfa", "provider" }

local function without_nulls(value)
  if type(value) ~= "table" then
    return present(value)
  end
  local copy = {}
  for key, child in pairs(value) do
    copy[key] = without_nulls(child)
  end
  return copy
end

--- Raises unless the record says everything that the data's user does, in every way that there is to
--- ask: the whole as a table, its text, field by field, and the common fields.
---@param expected table of the data
---@param text string? its JSON text
---@param common table from the functions above
function users.compare(expected, text, common, user)
  local found = check.difference(expected, rollcall.totable(user))
  for _, name in ipairs(COMMON) do
    found = found or check.difference(common[name], user[name], "common field " .. name)
  end
  for key, value in pairs(expected) do
    if common[key] == nil then
      -- A null inside a table is kept where it has a place.
      found = found or check.difference(without_nulls(value), without_nulls(user[key]), "field " .. key)
    end
  end
  local own = {}
  for key, value in rollcall.pairs(user) do
    own[key] = value
    found = found or check.difference(true, present(expected[key]) ~= nil, "pairs: " .. tostring(key))
  end
  for key, value in pairs(expected) do
    if present(value) ~= nil and own[key] == nil then
      found = found or "pairs: no " .. key
    end
  end
  if text and rollcall.json(user) ~= text then
    found = found or ("its text: expected %s, got %s"):format(text, rollcall.json(user))
  end
  if found then
    error(("user %s: %s"):format(tostring(expected.id), found), 2)
  end
end

return users
