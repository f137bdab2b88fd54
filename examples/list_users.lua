-- Lists users of Tesouro and Dintero: the first of each as a table, and a summary of all.
--
-- Talks to the real APIs where TESOURO_CLIENT_ID and TESOURO_CLIENT_SECRET, or DINTERO_CLIENT_ID,
-- DINTERO_CLIENT_SECRET and DINTERO_ACCOUNT are set (several accounts: separated by commas), and
-- to the sandbox where its variables are (see examples/sandbox).

local rollcall = require "rollcall"

--- A variable of the environment; nil where it is empty.
local function env(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

local SHOWN = 8 -- users of each provider
local STALE_DAYS = 90

--- Ends the script with one line.
local function give_up(line)
  io.stderr:write(line, "\n")
  os.exit(1)
end

--- A variable without which another one is of no use.
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
    }
  end
  if env "DINTERO_CLIENT_ID" then
    list[#list + 1] = rollcall.dintero {
      client_id = env "DINTERO_CLIENT_ID",
      client_secret = needed("DINTERO_CLIENT_SECRET", "DINTERO_CLIENT_ID"),
      accounts = split(needed("DINTERO_ACCOUNT", "DINTERO_CLIENT_ID")),
    }
  end
  if #list == 0 and env "SANDBOX_TESOURO_URL" then
    local id, secret = env "SANDBOX_CLIENT_ID", env "SANDBOX_CLIENT_SECRET"
    list[1] = rollcall.tesouro { client_id = id, client_secret = secret, base_url = env "SANDBOX_TESOURO_URL" }
    list[2] = rollcall.dintero {
      client_id = id,
      client_secret = secret,
      accounts = { env "SANDBOX_DINTERO_ACCOUNT", "P87654321" },
      base_url = env "SANDBOX_DINTERO_URL",
    }
  end
  return list
end

-- Characters that take no column of a terminal, and those that take two: the ranges that names need.
local MARKS = { { 0x0300, 0x036F }, { 0x0591, 0x05BD }, { 0x064B, 0x065F }, { 0x0900, 0x0902 },
  { 0x093C, 0x093C }, { 0x0941, 0x0948 }, { 0x094D, 0x094D }, { 0x0E31, 0x0E31 }, { 0x0E34, 0x0E3A },
  { 0x0E47, 0x0E4E }, { 0x200B, 0x200F } }
local WIDE = { { 0x1100, 0x115F }, { 0x2E80, 0xA4CF }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFF00, 0xFF60 },
  { 0x1F300, 0x1FAFF }, { 0x20000, 0x3FFFD } }

local function is_in(ranges, code)
  for _, range in ipairs(ranges) do
    if code >= range[1] and code <= range[2] then
      return true
    end
  end
  return false
end

local function width(text)
  local columns = 0
  for character in text:gmatch "[%z\1-\127\194-\244][\128-\191]*" do
    local code = character:byte()
    if #character > 1 then
      code = code % 2 ^ (7 - #character)
      for i = 2, #character do
        code = code * 64 + character:byte(i) % 64
      end
    end
    columns = columns + (is_in(MARKS, code) and 0 or is_in(WIDE, code) and 2 or 1)
  end
  return columns
end

local function pad(text, columns)
  return text .. (" "):rep(columns - width(text))
end

local function print_table(rows)
  local columns = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do
      columns[i] = math.max(columns[i] or 0, width(cell))
    end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = i < #row and pad(cell, columns[i]) or cell
    end
    print(table.concat(cells, "  "))
  end
end

--- A cell: one line, nothing that a terminal would obey or that turns the line around.
local function cell(value)
  if value == nil then
    return "-"
  end
  local text = tostring(value):gsub("\194[\128-\159]", " "):gsub("%c", " ")
  return (text:gsub("\216\156", ""):gsub("\226\128[\142\143\170-\174]", ""):gsub("\226\129[\166-\169]", ""))
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

local rows = { { "PROVIDER", "EMAIL", "NAME", "STATUS", "ROLES", "MFA", "LAST SEEN" } }
local shown, total, by_status = {}, 0, {}
local without_mfa, stale = 0, 0

-- RFC 3339 in UTC sorts as text. The sandbox's users were last seen before a day of its own.
local year, month, day = (env "SANDBOX_NOW" or ""):match "^(%d+)-(%d+)-(%d+)"
local now = year and os.time { year = year, month = month, day = day, hour = 12 } or os.time()
local stale_before = os.date("!%Y-%m-%dT%H:%M:%SZ", now - STALE_DAYS * 86400)

for user in rollcall.merge(streams) do
  local provider, status = user.provider, user.status or "?"
  total = total + 1
  shown[provider] = (shown[provider] or 0) + 1
  by_status[provider] = by_status[provider] or {}
  by_status[provider][status] = (by_status[provider][status] or 0) + 1
  if user.mfa == false then
    without_mfa = without_mfa + 1
  end
  if not user.last_seen_at or user.last_seen_at < stale_before then
    stale = stale + 1
  end
  if shown[provider] <= SHOWN then
    rows[#rows + 1] = {
      provider, cell(user.email), cell(user.name), cell(status), cell(table.concat(user.role_names or {}, ", ")),
      cell(user.mfa), cell(user.last_seen_at), at = total,
    }
  end
end

table.sort(rows, function(a, b)
  if (a.at and b.at) and a[1] ~= b[1] then
    return a[1] < b[1]
  end
  return (a.at or 0) < (b.at or 0)
end)
print_table(rows)
print()
print(("%d users"):format(total))
local providers = {}
for provider in pairs(by_status) do
  providers[#providers + 1] = provider
end
table.sort(providers)
for _, provider in ipairs(providers) do
  local parts = {}
  for status, count in pairs(by_status[provider]) do
    parts[#parts + 1] = ("%d %s"):format(count, status)
  end
  table.sort(parts)
  print(("  %-8s %s"):format(provider, table.concat(parts, ", ")))
end
print(("  %d known to have no MFA"):format(without_mfa))
print(("  %d not seen for %d days, or never"):format(stale, STALE_DAYS))
