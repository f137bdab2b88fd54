-- The sources: from a configuration, which is a Lua file that can only return data, or from the environment.

local built_in = require "rollcall.provider.built_in"
local evaluate = require "rollcall.cli.evaluate"
local failure = require "rollcall.cli.failure"
local header = require "rollcall.http.header"
local proxies = require "rollcall.http.proxy"
local schema = require "rollcall.schema"
local secrets = require "rollcall.auth.secret"
local shell = require "rollcall.cli.shell"
local tables = require "rollcall.tables"

---@class rollcall.cli.Source
---@field name string
---@field provider string|rollcall.Provider
---@field options table of the client; secrets are not resolved yet
---@field query table its own filters
---@field origin string where it comes from, in words
---@field now number? seconds since 1970, if its data belong to a fixed time
---@field client rollcall.Client? once it is created
---@field has_failed boolean? its walk failed, so that not all users came
---@field is_cut boolean? its walk ended early: by a limit, or since the command needed no more

local config = {}

local ENOENT = 2
local ENV_PROVIDERS = { "dintero", "tesouro" } -- whose environment variables are enough
local BUILT_IN_PROVIDERS = { "dintero", "github", "okta", "scim", "tesouro" }
local HIDDEN = { "client_secret", "password", "token" } -- what no other user should read; a name is no secret

--- A variable of the environment; nil if it is empty.
local function env(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

config.EXAMPLE = [[
return {
  sources = {
    tesouro = {
      client_id = { env = "TESOURO_CLIENT_ID" },
      secret_command = "pass show tesouro",
    },
    ["dintero-eu"] = {
      provider = "dintero",
      accounts = { "P12345678", "P87654321" },
      client_id = "6f2c…",
      client_secret = { env = "DINTERO_SECRET" },
    },
  },
}
]]

-- -- the file ---------------------------------------------------------------------------------------

--- The path of the configuration, if there may be one, and whether it was named explicitly.
local function find(given)
  local asked = given or env "ROLLCALL_CONFIG"
  if asked then
    return asked, true
  end
  local base = env "XDG_CONFIG_HOME" or env "HOME" and env "HOME" .. "/.config"
  return base and base .. "/rollcall/rollcall.lua"
end

--- The path at which the configuration is expected.
---@return string
function config.default_path()
  return (find() or "~/.config/rollcall/rollcall.lua")
end

local secret = { type = "string|table", secret = true,
  expected = '{ env = "NAME" } or { command = "…" }', test = function(value)
    if type(value) == "string" then
      return true
    end
    local key, text = next(value)
    return (key == "env" or key == "command") and type(text) == "string" and text ~= "" and next(value, key) == nil
  end }

local source_fields = {
  provider = { type = "string|table", expected = "a provider's name or table" },
  query = { type = "table" },
  secret_command = { type = "string" },
  token_command = { type = "string" },
}
for _, name in ipairs(secrets.names) do
  source_fields[name] = secret
end

local function is_source_name(name)
  return type(name) == "string" and name:find "^[%w_][%w_.-]*$" ~= nil
end

local function is_built_in(name)
  local good, found = pcall(built_in, name)
  return good and found ~= nil
end

--- Makes a source from its declaration in a configuration.
local function source_of(name, declared, problems)
  local place = "sources." .. tostring(name)
  if not is_source_name(name) then
    problems[#problems + 1] = ("%s: expected a name of letters, digits, _, . and -"):format(place)
    return nil
  elseif type(declared) ~= "table" then
    problems[#problems + 1] = ("%s: expected a table, got a %s"):format(place, type(declared))
    return nil
  end
  local own, options = {}, {}
  for key, value in pairs(declared) do
    if source_fields[key] then
      own[key] = value
    end
    if not source_fields[key] or source_fields[key] == secret then
      options[key] = value
    end
  end
  for _, problem in ipairs(schema.check(own, { type = "table", fields = source_fields }, place)) do
    problems[#problems + 1] = problem
  end
  for key, target in pairs { secret_command = "client_secret", token_command = "token" } do
    if own[key] and options[target] ~= nil then
      problems[#problems + 1] = ("%s: %s and %s exclude each other"):format(place, key, target)
    elseif own[key] then
      options[target] = { command = own[key] }
    end
  end
  local provider = own.provider or name
  if type(provider) == "string" and not is_built_in(provider) then
    local near = schema.nearest(provider, BUILT_IN_PROVIDERS)
    problems[#problems + 1] = ("%s.provider: there is no %s; expected %s, or a table of your own%s"):format(
      place, schema.show(provider), table.concat(BUILT_IN_PROVIDERS, ", "),
      near and (" (did you mean %s?)"):format(near) or "")
  end
  return { name = name, provider = provider, options = options, query = own.query or {} }
end

--- Does the configuration itself contain a secret of this source?
local function has_secret(source)
  for _, name in ipairs(HIDDEN) do
    if type(source.options[name]) == "string" then
      return true
    end
  end
  for name in pairs(tables.table_or_empty(source.options.headers)) do
    if type(name) == "string" and header.is_of_credentials(name) then
      return true
    end
  end
  local proxy = source.options.proxy
  return type(proxy) == "string" and proxies.credentials(proxy) ~= nil
end

--- Warns if others can read a secret, or write to the file, which decides what programs are run and where the secrets
--- go.
local function warn_of_others(name, sources, say)
  local listed = shell.read("LC_ALL=C ls -ldL -- " .. shell.quote(name) .. " 2>/dev/null") or ""
  if listed:find "^%-.......w" then -- not the group, which is often the user's own, nor of a terminal or the like
    say(("warning: others can write to %s, and so have any program run as you: `chmod o-w %s`"):format(name,
      shell.quote(name)))
  end
  for _, source in ipairs(sources) do
    if has_secret(source) and (listed:find "^....r" or listed:find "^.......r") then -- group or others
      say(("warning: %s has a secret of %s in it, and others can read it: `chmod 600 %s`, or let secret_command "
        .. "or { env = … } say it"):format(name, source.name, shell.quote(name)))
      return
    end
  end
end

local function from_file(name, file, say)
  local declared = evaluate(file, name)
  local problems, sources = {}, {}
  for key in pairs(declared) do
    if key ~= "sources" then
      problems[#problems + 1] = ("%s: unknown; it takes sources"):format(tostring(key))
    end
  end
  if type(declared.sources) ~= "table" or next(declared.sources) == nil then
    problems[#problems + 1] = "sources: expected a table of sources by name"
  else
    for key, value in pairs(declared.sources) do
      local source = source_of(key, value, problems)
      if source then
        source.origin = name
        sources[#sources + 1] = source
      end
    end
  end
  if #problems > 0 then
    table.sort(problems)
    failure.usage("%s: %s", name, table.concat(problems, "\n  "))
  end
  table.sort(sources, function(a, b)
    return a.name < b.name
  end)
  warn_of_others(name, sources, say)
  return sources
end

-- -- the environment --------------------------------------------------------------------------------

local function list(text)
  local parts = {}
  for part in (text or ""):gmatch "[^,%s]+" do
    parts[#parts + 1] = part
  end
  return #parts > 0 and parts or nil
end

--- A source of a built-in provider, if its variables are set.
local function from_variables(provider)
  local prefix = provider:upper() .. "_"
  if not env(prefix .. "CLIENT_ID") and not env(prefix .. "TOKEN") then
    return nil
  end
  local options = {
    base_url = env(prefix .. "BASE_URL"),
    environment = env(prefix .. "ENVIRONMENT"),
    ca_file = env(prefix .. "CA_FILE"),
  }
  if env(prefix .. "TOKEN") then
    options.token = { env = prefix .. "TOKEN" }
  else
    options.client_id = { env = prefix .. "CLIENT_ID" }
    options.client_secret = { env = prefix .. "CLIENT_SECRET" }
  end
  if provider == "dintero" then
    options.accounts = list(env "DINTERO_ACCOUNTS" or env "DINTERO_ACCOUNT")
    if not options.accounts then
      failure.usage("DINTERO_ACCOUNT is not set: the account to list, or several with commas between")
    end
  end
  return { name = provider, provider = provider, options = options, query = {}, origin = "the environment" }
end

--- The sandbox's sources, if its variables are set and no others.
local function from_sandbox(sources)
  local time = require "rollcall.time"
  local now = env "SANDBOX_NOW" and time.parse(env "SANDBOX_NOW")
  for _, provider in ipairs(ENV_PROVIDERS) do
    local base_url = env("SANDBOX_" .. provider:upper() .. "_URL")
    if base_url then
      sources[#sources + 1] = {
        name = provider, provider = provider, query = {}, origin = "the sandbox's environment", now = now,
        options = {
          base_url = base_url,
          client_id = { env = "SANDBOX_CLIENT_ID" },
          client_secret = { env = "SANDBOX_CLIENT_SECRET" },
          accounts = provider == "dintero" and list(env "SANDBOX_DINTERO_ACCOUNT") or nil,
        },
      }
    end
  end
end

--- All sources. Ends the command if there are none, or if something is wrong with one.
---@param given string? the path that --config gave
---@param say fun(line: string) for warnings
---@return rollcall.cli.Source[]
function config.sources(given, say)
  local name, is_asked = find(given)
  local file, problem, code
  if name then
    file, problem, code = io.open(name, "rb")
  end
  if file then
    return from_file(name, file, say)
  elseif name and (is_asked or code ~= ENOENT) then
    failure.usage("cannot read the configuration %s; check the path and its permissions", problem)
  end
  local sources = {}
  for _, provider in ipairs(ENV_PROVIDERS) do
    sources[#sources + 1] = from_variables(provider)
  end
  if #sources == 0 then
    from_sandbox(sources)
  end
  if #sources == 0 then
    failure.usage("no sources: set TESOURO_CLIENT_ID and TESOURO_CLIENT_SECRET, or DINTERO_CLIENT_ID, "
      .. "DINTERO_CLIENT_SECRET and DINTERO_ACCOUNT, or write %s (`rollcall sources --help` shows one)",
      config.default_path())
  end
  return sources
end

-- -- secrets ----------------------------------------------------------------------------------------

--- Where a source's credential comes from, in words, without itself.
---@param value string|table
---@return string
function config.origin(value)
  if type(value) == "string" then
    return "in the configuration"
  end
  return value.env and "$" .. value.env or ("`%s`"):format(value.command)
end

--- The value of a credential; nil and what is wrong with it.
local function resolve(value)
  if type(value) == "string" then
    return value
  elseif value.env then
    local text = env(value.env)
    return text, not text and ("the environment variable %s is not set"):format(value.env) or nil
  end
  local output, problem = shell.read(value.command)
  if not output then
    return nil, ("the command `%s` gave no secret: %s"):format(value.command, problem)
  end
  local line = output:match "^([^\r\n]*)" -- the first line, by the convention of pass
  if line == "" then
    return nil, ("the command `%s` printed nothing"):format(value.command)
  end
  return line
end

--- The options of a source's client, with its secrets; nil and what is wrong.
---@param source rollcall.cli.Source
---@return table? options
---@return string? problem
function config.options(source)
  local options = tables.copy(source.options)
  for _, name in ipairs(secrets.names) do
    if options[name] ~= nil then
      local text, problem = resolve(options[name])
      if not text then
        return nil, ("%s: %s: %s"):format(source.name, name, problem)
      end
      options[name] = text
    end
  end
  return options
end

return config
