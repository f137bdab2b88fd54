-- rollcall diff OLD [NEW]: who has come, gone and changed between two snapshots, or a snapshot and now.
--
-- Of the old snapshot an index is kept, some 200 bytes a user (400 on LuaJIT): where the line of each
-- stands. Its lines are read again when they are compared. Of the new one nothing is kept but the keys of
-- who joined.

local core = require "rollcall.core"
local csv = require "rollcall.csv"
local failure = require "rollcall.cli.failure"
local json = require "rollcall.json"
local listing = require "rollcall.cli.listing"
local ndjson = require "rollcall.ndjson"
local path = require "rollcall.path"
local pointers = require "rollcall.pointer"
local progress = require "rollcall.cli.progress"
local schema = require "rollcall.schema"
local tables = require "rollcall.cli.table"

local diff = { summary = "Compare two snapshots, or a snapshot and now: who came, left and changed." }

diff.description = [[
Snapshots are what `rollcall users --format ndjson` writes. Without NEW the old one is compared with what its
sources say now.

Users are known again by source, account_id and id (or email, where they have no id).]]

diff.epilog = [[
Memory: for each user of OLD, and for each who joined, some 200 bytes (400 on LuaJIT). OLD is read twice: where it
is a pipe all of it is kept.

Exit status: 0 no difference, 1 differences, 2 wrong usage, configuration or snapshot, 3 a source failed.

Examples:
  rollcall users --format ndjson > monday.ndjson
  rollcall diff monday.ndjson
  rollcall diff monday.ndjson friday.ndjson --format csv]]

-- What of users changes without anybody's doing.
local IGNORED = "last_seen_at,updated_at"
local BOM = "\239\187\191" -- that some editors put before UTF-8

function diff.declare(command)
  command:argument "old":description "A snapshot."
  command:argument "new":description "Another one; - is stdin. Now, where it is left out.":args "?"
  command:option "-s" "--source"
    :description "Without NEW: compare with this source only; may be repeated. By default those of OLD."
    :count "*":argname "<source>"
  command:option "--fields":description "Compare these fields only, with commas between. By default all that OLD has."
    :argname "<field,...>"
  command:option "--ignore"
    :description "Do not compare these fields, or what is inside of one: department.name or a JSON Pointer."
    :argname "<field,...>":default(IGNORED)
  command:option "-f" "--format":description "How: table, csv (a row for each field that changed) or ndjson."
    :choices { "table", "csv", "ndjson" }:default "table"
  command:flag "--bom":description "CSV: begin with a byte order mark, by which Excel knows UTF-8."
  command:flag "--formulas":description "CSV: leave texts as they are that a spreadsheet may take for formulas."
end

-- -- snapshots --------------------------------------------------------------------------------------

local function open(name)
  if name == "-" then
    return io.stdin
  end
  local file, problem = io.open(name, "rb")
  if not file then
    failure.usage("cannot read the snapshot %s", problem)
  end
  return file
end

--- A line of a snapshot as a table; ends the command where it is none. Of ids that no double may hold, the digits.
local function decode(text, name, number)
  local user = text:find "^%s*{" and json.decode(text)
  if type(user) ~= "table" then
    failure.usage("%s:%d: no JSON object; a snapshot is what `rollcall users --format ndjson` writes", name, number)
  end
  for _, field in ipairs { "account_id", "id" } do
    local value = user[field]
    if type(value) == "number" and (value >= 2 ^ 53 or value <= -2 ^ 53) then
      user[field] = json.written(text, "/" .. field, "text") or value
    end
  end
  return user
end

local function text_of(value)
  return type(value) == "string" and value or type(value) == "number" and json.number(value) or ""
end

--- By what a user is known again.
---@param known table<string, boolean>? the fields to go by, where not all were written
local function key_of(user, name, number, known)
  local function part(field)
    return (known == nil or known[field]) and text_of(user[field]) or ""
  end
  local id = part "id"
  if id == "" then
    id = text_of(user.email)
  end
  if id == "" then
    failure.usage("%s:%d: a user without id and email; snapshots need one of them", name, number)
  end
  return part "source" .. "\n" .. part "account_id" .. "\n" .. id
end

---@class rollcall.cli.Snapshot
local Snapshot = {}
Snapshot.__index = Snapshot

--- Calls visit(text, name, number, place) for each line of a snapshot that is not blank: place is its first byte.
local function each_line(session, file, name, visit)
  local number, place = 0, 0
  while true do
    local text, problem = file:read "*l"
    if not text then
      if problem then
        failure.usage("cannot read the snapshot %s: %s", name, problem)
      end
      break
    end
    number = number + 1
    if number == 1 and text:sub(1, #BOM) == BOM then
      text, place = text:sub(#BOM + 1), #BOM
    end
    if text:find "%S" then
      visit(text, name, number, place)
    end
    place = place + #text + 1
    if number % 1000 == 0 then
      session:look_at_signals()
    end
  end
end

--- Reads the old snapshot: where each user's line is, which fields and sources there are.
local function index(session, name)
  local file = open(name)
  local self = setmetatable({ file = file, name = name, places = {}, fields = {}, sources = {},
    all_have = { account_id = {}, id = {} }, lines = {}, count = 0 }, Snapshot)
  self.is_kept = name == "-" or not file:seek("cur", 0)
  each_line(session, file, name, function(text, _, number, place)
    local user = decode(text, name, number)
    local key = key_of(user, name, number)
    for field in pairs(user) do
      self.fields[field] = true
    end
    if type(user.source) == "string" then
      self.sources[user.source] = true
    end
    local source = text_of(user.source)
    for field, of_source in pairs(self.all_have) do
      of_source[source] = of_source[source] ~= false and user[field] ~= nil
    end
    if self.places[key] == nil then
      self.count = self.count + 1
    end
    self.places[key] = self.is_kept and number or place
    self.lines[number] = self.is_kept and text or nil
  end)
  return self
end

--- The line of a user again.
function Snapshot:text(place)
  if self.is_kept then
    return self.lines[place]
  end
  self.file:seek("set", place)
  return self.file:read "*l" or failure.usage("the snapshot %s changed while it was read", self.name)
end

--- Who of the snapshot was not taken, in its order.
function Snapshot:left()
  local list = {}
  for _, place in pairs(self.places) do
    list[#list + 1] = place or nil
  end
  table.sort(list)
  return list
end

-- -- what has changed -------------------------------------------------------------------------------

local common = { id = true, email = true, name = true, status = true, role_names = true, mfa = true,
  created_at = true, updated_at = true, last_seen_at = true, account_id = true, account_name = true }

local function list_of(text, option)
  local list = {}
  for part in (text or ""):gmatch "[^,]+" do
    part = part:match "^%s*(.-)%s*$"
    local is_name, limit = path.is_name(part)
    if not is_name then
      failure.usage("%s: %q is no field's name%s", option, part, limit)
    end
    list[#list + 1] = part
  end
  return list
end

--- Ends the command where the snapshot has no field of a name. A JSON Pointer is never checked.
local function check_names(list, known, option)
  local all = {}
  for name in pairs(known) do
    all[#all + 1] = name
  end
  for name in pairs(common) do
    all[#all + 1] = not known[name] and name or nil
  end
  table.sort(all)
  for _, name in ipairs(list) do
    local first = name:match "^[^.]+"
    if name:sub(1, 1) ~= "/" and not known[name] and not known[first] and not common[first] then
      local near = schema.nearest(first, all)
      failure.usage("%s: users of the snapshot have no field %s; %s One that only now's have: /%s", option, first,
        near and ("did you mean %s?"):format(near) or "they have " .. table.concat(all, ", ") .. ".", first)
    end
  end
end

--- The name of a field that is no part of another, without the slash of a JSON Pointer; nil for a part.
local function whole_field(name)
  local steps = pointers.steps(path.pointer(name) or "")
  return #steps == 1 and steps[1] or nil
end

--- A function that takes a part of a field out of a user, as path.compile finds it: it is not compared.
---@param name string with several steps
local function taker(name)
  local is_pointer = path.pointer(name) ~= nil
  local around, step = name:match(is_pointer and "^(.*)/([^/]*)$" or "^(.*)%.([^.]*)$")
  local get, last = path.compile(around), is_pointer and pointers.steps("/" .. step)[1] or step
  return function(user)
    local value = get(user)
    if not is_pointer and user[name] ~= nil then
      user[name] = nil
    elseif type(value) == "table" and value[last] ~= nil then
      value[last] = nil
    elseif type(value) == "table" and last:find "^%d+$" and value[tonumber(last) + 1] ~= nil then
      value[tonumber(last) + 1] = core.null -- those behind it keep their places
    end
  end
end

--- A function that answers how two users differ: a list of { field, old, new }, sorted.
local function comparer(args, known)
  local chosen = args.fields and list_of(args.fields, "--fields") or nil
  local unwanted = list_of(args.ignore, "--ignore")
  if next(known) ~= nil then -- of an empty snapshot nobody knows
    check_names(chosen or {}, known, "--fields")
    check_names(unwanted, known, "--ignore")
  end
  local ignored, takers = {}, {}
  for _, name in ipairs(unwanted) do
    local field = whole_field(name)
    if field then
      ignored[field] = true
    else
      takers[#takers + 1] = taker(name)
    end
  end
  if not chosen then
    chosen = {}
    for name in pairs(known) do
      chosen[#chosen + 1] = "/" .. pointers.escape(name)
    end
    table.sort(chosen)
  end
  local getters = {}
  for i, name in ipairs(chosen) do
    local field = whole_field(name)
    getters[i] = { name = args.fields and name or field, get = path.compile(name), is_ignored = ignored[field] }
  end
  return function(old, new)
    local changes, told = {}, {}
    for _, take in ipairs(takers) do
      take(old)
      take(new)
    end
    for pass = 1, 2 do -- common fields first: a provider's own name for the same is not told again
      for _, field in ipairs(getters) do
        if (common[field.name] or false) == (pass == 1) then
          local before, after = ndjson.encode(field.get(old)), ndjson.encode(field.get(new))
          local both = before .. "\n" .. after
          if before ~= after and not (pass == 2 and told[both]) then
            told[both] = true
            if not field.is_ignored then
              changes[#changes + 1] = { field = field.name, old = field.get(old), new = field.get(new) }
            end
          end
        end
      end
    end
    return changes
  end
end

-- -- how it is shown --------------------------------------------------------------------------------

local shows = {}

local function text_shown(value)
  return value == nil and "-" or csv.text(value)
end

function shows.table(session)
  local rows = tables.new({ "CHANGE", "SOURCE", "EMAIL", "NAME" }, function(line)
    session.output:write(line)
  end, { columns = session:columns(), bold = session:is_bold(), widest = 60, last = { [3] = true } })
  local is_empty = true
  function session.is_waiting()
    return rows:is_waiting()
  end
  return function(change, user, changes)
    local parts = {}
    for i, one in ipairs(changes or {}) do
      parts[i] = ("%s: %s → %s"):format(one.field, text_shown(one.old), text_shown(one.new))
    end
    is_empty = false
    rows:row({ change, text_of(user.source), text_of(user.email), text_of(user.name) }, parts)
  end, function()
    if not is_empty then
      rows:finish()
    end
  end
end

local function get(name)
  return { name = name, get = function(row)
    return row[name]
  end }
end

function shows.csv(session)
  local columns = {}
  for i, name in ipairs { "change", "source", "id", "email", "name", "field", "old", "new" } do
    columns[i] = get(name)
  end
  local writer = listing.csv(session, columns)
  session.output:write(writer:header())
  return function(change, user, changes)
    for _, one in ipairs(changes or { {} }) do
      session.output:write(writer:row {
        change = change, source = path.compile "source"(user), id = path.compile "id"(user),
        email = path.compile "email"(user), name = path.compile "name"(user),
        field = one.field, old = one.old, new = one.new,
      })
    end
  end, function() end
end

local function or_null(value)
  if value == nil then
    return core.null
  end
  return value
end

function shows.ndjson(session)
  return function(change, user, changes)
    local fields
    if changes then
      fields = {}
      for _, one in ipairs(changes) do
        fields[one.field] = { old = or_null(one.old), new = or_null(one.new) }
      end
    end
    session.output:write(ndjson.encode {
      change = change, source = user.source, id = user.id, email = user.email, name = user.name, fields = fields,
    } .. "\n")
  end, function() end
end

-- -- the command ------------------------------------------------------------------------------------

--- Ends the command where users of several sources, or accounts, would be taken for one another: the snapshot does not
--- say whose they are.
local function check_names_of_sources(session, sources, old)
  local lacks = #sources + #session.unavailable > 1 and not old.fields.source and "source"
  for _, source in ipairs(not old.fields.account_id and sources or {}) do
    lacks = lacks or session:list_option(source) and "account_id"
  end
  if lacks and old.count > 0 then
    failure.usage("%s: its users have no %s, by which those of several are told apart; take it with --fields "
      .. "source,account_id,id and what else is to be compared%s", old.name, lacks,
      lacks == "source" and ", or compare it with one --source" or "")
  end
end

--- Calls visit(text, where, number) for each user of the sources as they are now; answers which sources failed.
---@return table<string, boolean>
local function each_user(session, old, visit)
  local wanted = session.args.source or {}
  if #wanted == 0 then
    for name in pairs(old.sources) do
      wanted[#wanted + 1] = name
    end
    table.sort(wanted)
  end
  local sources = session:sources(wanted)
  session:clients(sources)
  check_names_of_sources(session, sources, old)
  local current = {}
  local whole = listing.whole_user(current)
  local number = 0
  session:walk(sources, {}, function(user, source)
    current.source = source
    number = number + 1
    visit(whole(user), source.name, number)
  end)
  local failed = {}
  for _, list in ipairs { sources, session.unavailable } do
    for _, source in ipairs(list) do
      failed[source.name] = source.has_failed
    end
  end
  return failed
end

--- Says of which sources of OLD nobody at all is in NEW, which may be no whole snapshot.
local function tell_missing(session, old, seen)
  for _, source in ipairs(schema.keys(old.sources)) do
    if not seen[source] then
      session:say(("%s: nobody of %s is in it, as if all had left; was its walk whole?"):format(session.args.new,
        source))
    end
  end
end

---@param session rollcall.cli.Session
---@return integer status
function diff.run(session)
  local args = session.args
  if args.old == "-" and args.new == "-" then
    failure.usage("diff: only one of the snapshots can be stdin")
  elseif args.new and #(args.source or {}) > 0 then
    failure.usage("--source is for a comparison with now, without NEW")
  end
  listing.check_format(args)
  local old = index(session, args.old)
  local compare = comparer(args, old.fields)
  local known = old.count > 0 and old.fields or nil
  local show, finish = shows[args.format](session)
  local joined, changed, same, lacks_account, seen = 0, 0, 0, false, {}
  local function visit(text, name, number)
    local user = decode(text, name, number)
    local source = text_of(user.source)
    seen[source] = true
    if user.account_id == nil and old.all_have.account_id[source] and not lacks_account then
      lacks_account = true
      session:say(("%s:%d: a user without account_id, which those of %s have: where all lack it, take both snapshots "
        .. "with the same --fields, lest everybody seems to have left and joined"):format(name, number, old.name))
    end
    local lacks = known and known.source and user.source == nil and "source"
      or user.id == nil and old.all_have.id[source] and "id"
    if lacks then
      failure.usage("%s:%d: a user without %s, which those of %s have; take both snapshots with the same --fields",
        name, number, lacks, old.name)
    end
    local key = key_of(user, name, number, known)
    local place = old.places[key]
    if place == nil then
      joined = joined + 1
      old.places[key] = false
      show("joined", user)
    elseif place then -- once: who is listed twice is compared once
      old.places[key] = false
      local before = old:text(place)
      local changes = before ~= text and compare(decode(before, old.name, 0), user) or {}
      if #changes > 0 then
        changed = changed + 1
        show("changed", user, changes)
      else
        same = same + 1
      end
    end
  end
  local failed = {}
  if args.new then
    each_line(session, open(args.new), args.new, visit)
    tell_missing(session, old, seen)
  else
    failed = each_user(session, old, visit)
  end
  local is_whole = next(failed) == nil
  local left, wanted = old:left(), {}
  for _, name in ipairs(not args.new and args.source or {}) do
    wanted[name] = true
  end
  local gone = 0
  for _, place in ipairs(left) do
    local user = decode(old:text(place), old.name, 0)
    local may_be_there = failed[text_of(user.source)] or user.source == nil and not is_whole
    if (next(wanted) == nil or user.source == nil or wanted[user.source]) and not may_be_there then
      gone = gone + 1
      show("left", user)
    end
  end
  finish()
  local of_failed = is_whole and "" or (" (who left %s is not known)"):format(table.concat(schema.keys(failed), ", "))
  session:say(("%s joined, %s left%s, %s changed, %s the same"):format(progress.number(joined), progress.number(gone),
    of_failed, progress.number(changed), progress.number(same)))
  if not is_whole then
    return failure.FAILED
  end
  return joined + gone + changed > 0 and failure.NONE or failure.FOUND
end

return diff
