-- rollcall sources: what is configured, without sending anything.

local config = require "rollcall.cli.config"
local failure = require "rollcall.cli.failure"
local frozen = require "rollcall.provider.frozen"
local ndjson = require "rollcall.ndjson"
local one_line = require "rollcall.one_line"
local query = require "rollcall.cli.query"
local tables = require "rollcall.tables"

local sources = { summary = "Show the sources that are configured." }

sources.description = [[
Shows each source's provider, address, accounts and where its credentials are from; never the credentials.
Nothing is sent.]]

sources.epilog = [[
A configuration is a Lua file that returns a table; it can call nothing. The keys of a source are the options of
a rollcall client (base_url, environment, account, accounts, ca_file, proxy, …), and

  provider         "dintero", "github", "okta", "scim", "tesouro" or a table of
                   your own; the source's name by default
  client_id, client_secret, token, username, password
                   { env = "NAME" }, { command = "…" } or, where nobody
                   else can read the file, a text
  secret_command   the same as client_secret = { command = "…" }: the first
                   line that it prints
  token_command    the same for token
  query            filters and limits that always apply, such as
                   { status = "ACTIVE", deadline = 600, prefetch = 4 }

Example, for ~/.config/rollcall/rollcall.lua:

  ]] .. config.EXAMPLE:gsub("\n(.)", "\n  %1") .. [[

Without a configuration: TESOURO_CLIENT_ID, TESOURO_CLIENT_SECRET (or TESOURO_TOKEN), TESOURO_ENVIRONMENT,
TESOURO_BASE_URL, TESOURO_CA_FILE; the same with DINTERO_, and DINTERO_ACCOUNT, one or several with commas
between (DINTERO_ACCOUNTS goes before it). Where none of them is set, the variables that the sandbox prints.

Exit status: 0 there are some, 2 wrong usage or configuration.]]

function sources.declare(command)
  command:option "-f" "--format":description "How: text or ndjson.":choices { "text", "ndjson" }:default "text"
end

local CREDENTIALS = { "token", "client_id", "client_secret", "username", "password" } -- in the order shown

local function credentials_of(source)
  local parts = {}
  for _, name in ipairs(CREDENTIALS) do
    if source.options[name] ~= nil then
      parts[#parts + 1] = ("%s %s"):format(name:gsub("_", " "), config.origin(source.options[name]))
    end
  end
  return #parts > 0 and table.concat(parts, ", ") or "none"
end

--- The accounts of a source: the values of the options that its provider declares.
local function accounts_of(source)
  local declared, accounts = frozen.thaw(source.client.provider).options or {}, {}
  for _, name in ipairs(tables.keys(declared)) do
    for _, account in ipairs(source.options[declared[name].list] or { source.options[name] }) do
      accounts[#accounts + 1] = account
    end
  end
  return accounts
end

--- Describes a source without its secrets.
local function describe(session, source)
  local options = source.options
  -- A client with placeholders for the secrets: everything else is checked as in a real run.
  local stand_ins = { name = source.name, provider = source.provider, origin = source.origin, query = source.query,
    options = {} }
  for name, value in pairs(options) do
    stand_ins.options[name] = value
  end
  for _, name in ipairs(CREDENTIALS) do
    stand_ins.options[name] = options[name] ~= nil and "stand-in" or nil
  end
  local client, problem = session:try_client(stand_ins)
  if not client then
    failure.usage("%s", problem)
  end
  stand_ins.client = client
  query.stream(stand_ins, query.of(stand_ins, {})):close()
  local described = { name = source.name, provider = client.provider.name, base_url = client.base_url,
    accounts = accounts_of(stand_ins), credentials = credentials_of(source), origin = source.origin }
  client:close()
  return described
end

---@param session rollcall.cli.Session
---@return integer status
function sources.run(session)
  local list = session:sources()
  if session.args.format == "ndjson" then
    for _, source in ipairs(list) do
      local described = describe(session, source)
      described.accounts = #described.accounts > 0 and described.accounts or nil
      session.output:write(ndjson.encode(described) .. "\n")
    end
    return failure.FOUND
  end
  for i, source in ipairs(list) do
    local one = describe(session, source)
    session.output:write((i > 1 and "\n" or "") .. one.name .. "\n")
    for _, line in ipairs { { "provider", one.provider }, { "address", one.base_url },
      { "accounts", table.concat(one.accounts, ", ") }, { "credentials", one.credentials }, { "from", one.origin } } do
      if line[2] ~= "" then
        session.output:write(("  %-11s  %s\n"):format(line[1], one_line(line[2])))
      end
    end
  end
  return failure.FOUND
end

return sources
