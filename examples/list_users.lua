-- Lists users of Tesouro and Dintero: the first of each as a table, and a summary of all.
--
-- Uses the real APIs if TESOURO_CLIENT_ID and TESOURO_CLIENT_SECRET, or DINTERO_CLIENT_ID, DINTERO_CLIENT_SECRET and
-- DINTERO_ACCOUNTS (with commas between) or DINTERO_ACCOUNT are set, otherwise the sandbox, by its variables (see
-- examples/sandbox).

local rollcall = require "rollcall"

--- A variable of the environment; nil if it is empty.
local function env(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local SHOWN = 8 -- users of each provider

--- Ends the script with one line.
local function give_up(line)
  io.stderr:write(line, "\n")
  os.exit(1)
end

--- A variable that another one needs.
local function needed(name, beside)
  return env(name) or give_up(("%s is set, but %s is not"):format(beside, name))
end

local function split(text)
  local list = {}
  for part in text:gmatch("[^,%s]+") do
    list[#list + 1] = part
  end
  return list
end

--- The clients that the environment has credentials for.
local function clients()
  local list = {}
  if env "TESOURO_CLIENT_ID" then
    list[#list + 1] = rollcall.tesouro {
      client_id = env "TESOURO_CLIENT_ID",
      client_secret = needed("TESOURO_CLIENT_SECRET", "TESOURO_CLIENT_ID"),
      environment = env "TESOURO_ENVIRONMENT",
      base_url = env "TESOURO_BASE_URL",
    }
  end
  if env "DINTERO_CLIENT_ID" then
    list[#list + 1] = rollcall.dintero {
      client_id = env "DINTERO_CLIENT_ID",
      client_secret = needed("DINTERO_CLIENT_SECRET", "DINTERO_CLIENT_ID"),
      accounts = split(env "DINTERO_ACCOUNTS" or needed("DINTERO_ACCOUNT", "DINTERO_CLIENT_ID")),
      base_url = env "DINTERO_BASE_URL",
    }
  end
  if #list == 0 and env "SANDBOX_TESOURO_URL" then
    local id, secret = env "SANDBOX_CLIENT_ID", env "SANDBOX_CLIENT_SECRET"
    list[1] = rollcall.tesouro { client_id = id, client_secret = secret, base_url = env "SANDBOX_TESOURO_URL" }
    list[2] = rollcall.dintero {
      client_id = id,
      client_secret = secret,
      accounts = split(env "SANDBOX_DINTERO_ACCOUNT"),
      base_url = env "SANDBOX_DINTERO_URL",
    }
  end
  return list
end

--- A string from others made safe for a terminal: one line, without control characters or changes of direction.
local function shown(value)
  local text = tostring(value):gsub("\194[\128-\159]", " "):gsub("%c", " ")
  return (text:gsub("\216\156", ""):gsub("\226\128[\142\143\170-\174]", ""):gsub("\226\129[\166-\169]", ""))
end

local ROW = "%-8s  %-8s  %-3s  %-10s  %s" -- what has no fixed width in every script comes last

local function row_of(user)
  local mfa = user.mfa == nil and "-" or user.mfa and "yes" or "no"
  local roles = table.concat(user.role_names or {}, ", ")
  local who = ("%s <%s>%s"):format(user.name or "-", user.email or "-", roles ~= "" and ", " .. roles or "")
  return ROW:format(user.provider, shown(user.status or "-"), mfa, shown(user.last_seen_at or "-"):sub(1, 10),
    shown(who))
end

local made, list = pcall(clients)
if not made then
  give_up((tostring(list):gsub("^[^:]*:%d+: ", "")))
elseif #list == 0 then
  give_up [[
Nothing to list: set TESOURO_CLIENT_ID and TESOURO_CLIENT_SECRET, or DINTERO_CLIENT_ID, DINTERO_CLIENT_SECRET and
DINTERO_ACCOUNT, or start the sandbox (make sandbox) and set what it prints.]]
end

local streams = {}
for i, client in ipairs(list) do
  streams[i] = client:users(client.provider.name == "tesouro" and { status = "ALL" } or { expand = { "roles" } })
end

local total, rows, counts = 0, {}, {} -- rows by provider; counts by provider and status
for user in rollcall.merge(streams) do
  local provider, status = user.provider, user.status or "?"
  total = total + 1
  rows[provider], counts[provider] = rows[provider] or {}, counts[provider] or {}
  counts[provider][status] = (counts[provider][status] or 0) + 1
  if #rows[provider] < SHOWN then
    table.insert(rows[provider], row_of(user))
  end
end

print(ROW:format("PROVIDER", "STATUS", "MFA", "LAST SEEN", "WHO"))
local summary = {}
for _, client in ipairs(list) do
  local provider, parts = client.provider.name, {}
  print(table.concat(rows[provider] or {}, "\n"))
  for status, count in pairs(counts[provider] or {}) do
    parts[#parts + 1] = ("%d %s"):format(count, status)
  end
  table.sort(parts)
  summary[#summary + 1] = ("  %-8s %s"):format(provider, table.concat(parts, ", "))
end
print(("\n%d users\n%s"):format(total, table.concat(summary, "\n")))
