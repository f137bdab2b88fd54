-- Which of a provider's own fields are a common field by another name, as its declaration says.

local built_in = require "rollcall.provider.built_in"
local config = require "rollcall.cli.config"

local aliases = {}

--- Adds the fields that the rule of a common field takes unchanged.
local function add(names, rule, common)
  local field = type(rule) == "string" and rule:match "^/([^/~]+)$"
  if field then
    names[field] = common
  elseif type(rule) == "table" then
    for _, one in ipairs(rule.first or {}) do
      add(names, one, common)
    end
  end
end

--- The common fields, by own field.
---@param provider any its table, or its name
---@return table<string, string>
local function declared(provider)
  local names, good, found = {}, true, provider
  if type(provider) == "string" then
    good, found = pcall(built_in, provider)
  end
  local users = good and found and (found.users or found.collections and found.collections.users)
  for common, rule in pairs(users and users.fields or {}) do
    add(names, rule, common)
  end
  return names
end

--- A function that returns this for a user of a snapshot: from the configured source of the user's source name, if
--- there is one, otherwise from the built-in provider that the user names.
---@param session rollcall.cli.Session
---@return fun(user: table): table<string, string>
function aliases.new(session)
  local by_source, by_provider = {}, {}
  local good, sources = pcall(config.sources, session.args.config, function() end)
  for _, source in ipairs(good and sources or {}) do -- without sources, no declarations are known
    by_source[source.name] = declared(source.provider)
  end
  return function(user)
    local provider = type(user.provider) == "string" and user.provider or ""
    by_provider[provider] = by_provider[provider] or declared(provider)
    return by_source[user.source] or by_provider[provider]
  end
end

return aliases
