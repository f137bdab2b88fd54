-- Keeps a copy of Tesouro's users in sync, and reports who joined, changed and left.
--
--   lua5.4 examples/sync_users.lua users.ndjson
--
-- The copy has a line of JSON for each user. The users that a walk has met so far are in users.ndjson.part, and its
-- position in users.ndjson.checkpoint: if it fails, or is killed, the next run continues from there. Users count as
-- gone only when a complete walk has not met them.
--
-- Uses the real API if TESOURO_CLIENT_ID and TESOURO_CLIENT_SECRET are set, otherwise the sandbox.

local cjson = require "cjson"
local rollcall = require "rollcall"

local KEPT = { "id", "email", "name", "status" } -- of each user; changes of these are reported
local BETWEEN_SAVES = 100 -- users

local copy = arg[1] or error("usage: sync_users.lua FILE", 0)
local part, checkpoint = copy .. ".part", copy .. ".checkpoint"

local function read(name)
  local file = io.open(name, "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  return text
end

--- Writes a file by renaming a new one, so that there is always a complete one of its name.
local function write(name, text)
  local file = assert(io.open(name .. ".new", "wb"))
  assert(file:write(text))
  assert(file:close())
  assert(os.rename(name .. ".new", name))
end

--- The lines of a file, by user id; a truncated last line is left out.
local function load(name)
  local lines = {}
  for line in (read(name) or ""):gmatch "[^\n]+\n" do
    lines[cjson.decode(line).id] = line
  end
  return lines
end

local function values(lines)
  local list = {}
  for _, line in pairs(lines) do
    list[#list + 1] = line
  end
  return table.concat(list)
end

local url = (os.getenv "TESOURO_CLIENT_ID" or "") == "" and os.getenv "SANDBOX_TESOURO_URL" or nil
local tesouro = rollcall.tesouro {
  client_id = os.getenv(url and "SANDBOX_CLIENT_ID" or "TESOURO_CLIENT_ID"),
  client_secret = os.getenv(url and "SANDBOX_CLIENT_SECRET" or "TESOURO_CLIENT_SECRET"),
  base_url = url,
}

-- The users that the previous walk met count only together with its position.
local saved = read(part) and read(checkpoint)
local met = saved and load(part) or {}
write(part, values(met))
local file = assert(io.open(part, "ab"))
local stream = tesouro:users { status = "ALL", resume = saved }

local function save(text)
  assert(file:flush()) -- first: users after the checkpoint are met again, which does no harm
  write(checkpoint, text)
end

local line_of, count = rollcall.ndjson(KEPT), 0
local user, err = stream:next()
while user do
  local line = line_of(user)
  met[user.id] = line
  assert(file:write(line))
  count = count + 1
  if count % BETWEEN_SAVES == 0 then
    save(stream:checkpoint())
  end
  user, err = stream:next()
end
if err then
  save(stream:checkpoint())
  io.stderr:write(("%s\nThe same command goes on behind the %d users that have come; without %s it begins anew.\n")
    :format(tostring(err), count, checkpoint))
  os.exit(1)
end
assert(file:close())

local before = load(copy)
for id, line in pairs(met) do
  if before[id] ~= line then
    io.write(before[id] and "changed " or "joined ", line)
  end
end
for id, line in pairs(before) do
  if not met[id] then
    io.write("left ", line)
  end
end
write(copy, values(met))
os.remove(checkpoint)
os.remove(part)
