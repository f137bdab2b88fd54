-- Lists of users as a table, CSV, NDJSON or JSON: shared by `users`, `find` and `review --list`.

local core = require "rollcall.core"
local csv = require "rollcall.csv"
local failure = require "rollcall.cli.failure"
local json = require "rollcall.json"
local names = require "rollcall.cli.names"
local ndjson = require "rollcall.ndjson"
local one_line = require "rollcall.one_line"
local path = require "rollcall.path"
local pointers = require "rollcall.pointer"
local schema = require "rollcall.schema"
local tables = require "rollcall.tables"
local text_table = require "rollcall.cli.table"
local where = require "rollcall.where"

local at = core.at

local listing = {}

local FORMATS = { "table", "csv", "ndjson", "json" }
local DEFAULT = { "email", "name", "status", "role_names", "mfa", "last_seen_at" }

--- Declares the options of a command that lists users.
---@param command table argparse's
function listing.declare(command)
  command:option "-f" "--format"
    :description "How: table, csv (RFC 4180), ndjson (a JSON object a line) or json (one array)."
    :choices(FORMATS):default "table"
  command:option "--fields"
    :description("Which fields, with commas between: common names, the provider's own, names with dots "
      .. "(department.name) or JSON Pointers. By default a table and CSV have a few common ones, ndjson and json all.")
    :argname "<field,...>"
  command:option "-w" "--where"
    :description("Only users of whom this holds; several must all hold. FIELD=VALUE, != (is, is not; without a value: "
      .. "is absent, is there), ~, !~ (contains, does not), <, <=, >, >= (numbers, texts, times). A time is an "
      .. "RFC 3339 one, a date, or a duration back from now: last_seen_at<90d is longer ago than 90 days, or never.")
    :argname "<condition>":count "*"
  command:option "--limit":description "Stop after so many users.":argname "<n>"
    :convert(failure.of_option("--limit", listing.whole))
  command:flag "--bom":description "CSV: begin with a byte order mark, by which Excel knows UTF-8."
  command:flag "--formulas"
    :description("CSV: leave texts that begin with = + - @ as they are, without the ' that keeps a spreadsheet from "
      .. "running them.")
end

--- Ends the command if an option of CSV was given with another format.
---@param args table
function listing.check_format(args)
  for _, name in ipairs { "bom", "formulas" } do
    if args[name] and args.format ~= "csv" then
      failure.usage("--%s is for --format csv", name)
    end
  end
end

--- A whole number, for argparse.
function listing.whole(text)
  local number = text:find "^%d+$" and tonumber(text)
  if not number or number < 1 then
    return nil, ("%s: expected a whole number of at least 1"):format(text)
  end
  return number
end

local function split(text)
  local list, is_there = {}, {}
  for part in (text .. ","):gmatch "([^,]*)," do
    part = part:match "^%s*(.-)%s*$"
    local is_name, limit = path.is_name(part)
    if not is_name then
      failure.usage("--fields %s: expected fields with commas between, such as id,email,department.name%s", text, limit)
    elseif is_there[part] then -- a JSON object has each key once
      failure.usage("--fields %s: %s is there twice", text, part)
    end
    is_there[part] = true
    list[#list + 1] = part
  end
  return list
end

local function clients_of(sources)
  local clients = {}
  for i, source in ipairs(sources) do
    clients[i] = source.client
  end
  return clients
end

--- The predicate of --where; checked before anything is sent; nil without conditions.
---@param session rollcall.cli.Session
---@param sources rollcall.cli.Source[]
---@return (fun(user: rollcall.User): boolean)?
---@return string[] fields whose values it tests, not only whether they are there
function listing.predicate(session, sources)
  local expressions, options, fields, asked = session.args.where or {}, { now = session.now }, {}, {}
  for i, expression in ipairs(expressions) do
    local test, name = where.compile(expression, options)
    if not test then
      failure.usage("--where %s", name)
    end
    fields[i] = name
    asked[#asked + 1] = not expression:find "=%s*$" and name or nil
  end
  names.check(fields, clients_of(sources), "--where")
  return #expressions > 0 and where.all(expressions, options) or nil, asked
end

--- The fields that were requested by name.
---@param args table
---@return string[]
function listing.fields(args)
  return args.fields and split(args.fields) or {}
end

--- Says, after a complete walk, which fields no user had: those of conditions for each source, since it was asked about
--- them; columns only if no source has them.
---@param session rollcall.cli.Session
---@param sources rollcall.cli.Source[]
---@param seen rollcall.cli.SeenFields
---@param conditions string[]
---@param columns string[]
function listing.tell_absent(session, sources, seen, conditions, columns)
  local told = {}
  local function tell(name, is_column)
    local lacking, _, is_nowhere = seen:without(name, sources)
    if told[name] or #lacking == 0 or is_column and not is_nowhere or name == "source" then
      return
    end
    told[name] = true
    local near = is_nowhere and schema.nearest(name, names.COMMON)
    session:say(("no user of %s has anything in the field %s%s"):format(table.concat(lacking, ", "), name,
      near and near ~= name and ("; did you mean %s?"):format(near) or ""))
  end
  for _, name in ipairs(conditions) do
    tell(name, false)
  end
  for _, name in ipairs(columns) do
    tell(name, true)
  end
end

-- -- whole users ------------------------------------------------------------------------------------

-- What to search a user's text for to find a field, and the pointer to it.
local marks = {}
for _, group in ipairs { names.COMMON, { "source" } } do
  for _, name in ipairs(group) do
    marks[name] = { quoted = '"' .. name .. '"', null = '"' .. name .. '"%s*:%s*null', pointer = "/" .. name }
  end
end

--- May this text have one of our names written with escapes? Our names are of lower-case letters and _, U+005F to 7A.
local function may_hide_names(text)
  return text:find("\\u00", 1, true) ~= nil and text:find "\\u00[567]" ~= nil
end

--- The user's own field of this name; core.null if it is null, nil if there is none. The cheap checks come first.
local function own_field(user, text, name, is_hidden)
  local mark = marks[name]
  if not is_hidden and not text:find(mark.quoted, 1, true) then
    return nil
  end
  local value = at(user, mark.pointer)
  if value == nil and (is_hidden or text:find(mark.null)) then
    return core.totable(user)[name]
  end
  return value
end

-- Fields that identify users: the common field counts, whatever the user's own field of that name is.
local IDENTITY = { id = true, account_id = true, email = true }

--- A common field as the text of an object's member.
local function member(name, value)
  local is_no_role = name == "role_names" and type(value) == "table" and #value == 0
  return ('"%s":%s'):format(name, is_no_role and "[]" or ndjson.encode(value))
end

--- The JSON text of a user some of whose own fields have our names with other meanings: these are left out, the others
--- stand as received.
---@param text string the user's
local function replaced(user, text, source)
  local own, is_ours = core.totable(user), { source = true, provider = true }
  local parts = { member("source", source.name), member("provider", user.provider) }
  for _, name in ipairs(names.COMMON) do
    local value = user[name]
    local is_missing = own[name] == nil or own[name] == core.null
    if value ~= nil and not is_ours[name] and (IDENTITY[name] or is_missing) then
      is_ours[name] = true
      parts[#parts + 1] = member(name, value)
    end
  end
  for _, name in ipairs(tables.keys(own)) do
    if not is_ours[name] then
      local received = json.written(text, "/" .. pointers.escape(name), "json")
      parts[#parts + 1] = ndjson.encode(name) .. ":" .. (type(received) == "string" and received or "null")
    end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- A function that returns the JSON text of a whole user in one line: as received, preceded by the source and the
--- common fields that the user does not have itself.
---@param current { source: rollcall.cli.Source } the source of the user
---@return fun(user: rollcall.User): string
function listing.whole_user(current)
  return function(user)
    local text = ndjson.encode(user)
    local is_hidden = may_hide_names(text)
    if own_field(user, text, "source", is_hidden) ~= nil or own_field(user, text, "provider", is_hidden) ~= nil then
      return replaced(user, text, current.source)
    end
    local parts = { "{" .. member("source", current.source.name) }
    for _, name in ipairs(names.COMMON) do
      local value = user[name]
      local own = value ~= nil and own_field(user, text, name, is_hidden)
      if own == core.null or own and IDENTITY[name] and own ~= value then
        return replaced(user, text, current.source)
      elseif own == nil then
        parts[#parts + 1] = member(name, value)
      end
    end
    local rest = text:match "^{%s*(.*)$"
    return table.concat(parts, ",") .. (rest == "}" and "" or ",") .. rest
  end
end

-- -- the formats ------------------------------------------------------------------------------------

local writers = {}

function writers.ndjson(session, columns, current)
  local line = columns and ndjson.new(columns) or nil
  local whole = listing.whole_user(current)
  return {
    row = function(user)
      session.output:write(line and line(user) or whole(user) .. "\n")
    end,
    finish = function() end,
  }
end

function writers.json(session, columns, current)
  local line, whole, count = columns and ndjson.new(columns) or nil, listing.whole_user(current), 0
  local held -- one row, until it is known whether a comma or the end follows
  return {
    row = function(user)
      if held then
        session.output:write((count == 0 and "[\n" or "") .. held .. ",\n")
        count = count + 1
      end
      held = line and line(user):sub(1, -2) or whole(user)
    end,
    finish = function()
      session.output:write((count == 0 and "[\n" or "") .. (held and held .. "\n" or "") .. "]\n")
    end,
  }
end

--- A writer of CSV as the options say. On a terminal a row is one line that is safe to show; files and pipes get the
--- exact data.
---@param session rollcall.cli.Session
---@param columns rollcall.Column[]
---@return rollcall.Csv
function listing.csv(session, columns)
  local writer = csv.new(columns, { bom = session.args.bom, formulas = session.args.formulas })
  if not session.is_terminal then
    return writer
  end
  local function shown(line)
    return one_line(line:sub(1, -3)) .. "\r\n"
  end
  return {
    header = function()
      return shown(writer:header())
    end,
    row = function(_, user)
      return shown(writer:row(user))
    end,
  }
end

function writers.csv(session, columns, _, is_continued)
  local writer = listing.csv(session, columns)
  return {
    begin = function()
      if not is_continued then
        session.output:write(writer:header())
      end
    end,
    row = function(user)
      session.output:write(writer:row(user))
    end,
    finish = function() end,
  }
end

local HEADERS = { role_names = "ROLES", last_seen_at = "LAST SEEN" }

--- A value as people read it.
local function shown(value, is_day)
  if type(value) == "boolean" then
    return value and "yes" or "no"
  end
  local text = value == nil and "" or csv.text(value)
  return text == "" and "-" or is_day and text:sub(1, 10) or text
end

function writers.table(session, columns)
  local header, identities = {}, {}
  for i, column in ipairs(columns) do
    header[i] = HEADERS[column.name] or column.name:upper():gsub("_", " ")
    identities[i] = column.name == "email" or column.name == "id" or nil
  end
  local rows = text_table.new(header, function(line)
    session.output:write(line)
  end, { columns = session:columns(), bold = session:is_bold(), widest = 60, last = identities })
  local is_empty = true
  return {
    is_waiting = function()
      return rows:is_waiting()
    end,
    row = function(user)
      local cells = {}
      for i, column in ipairs(columns) do
        cells[i] = shown(column.get(user), column.is_day)
      end
      rows:row(cells)
      is_empty = false
    end,
    finish = function()
      if not is_empty then
        rows:finish()
      end
    end,
  }
end

---@class rollcall.cli.ListingOptions
---@field own { name: string, get: function }[]? the command's own columns, which come first
---@field defaults string[]? names of a table's columns if no fields are named
---@field is_continued boolean? the output is appended to that of an earlier run

--- The names of the columns; nil for whole users.
local function names_of(args, sources, own, options)
  if args.fields then
    local chosen, extra = split(args.fields), {}
    for i, column in ipairs(own) do
      extra[i] = column.name
    end
    names.check(chosen, clients_of(sources), "--fields", extra)
    return chosen
  elseif args.format == "table" and options.defaults then
    return options.defaults
  elseif args.format ~= "table" and args.format ~= "csv" and not options.own then
    return nil
  end
  local chosen = {}
  for _, column in ipairs(own) do
    if column.name ~= "source" or #sources > 1 or args.format ~= "table" then
      chosen[#chosen + 1] = column.name
    end
  end
  for _, name in ipairs(args.format == "table" and DEFAULT or names.COMMON) do
    chosen[#chosen + 1] = name
  end
  return chosen
end

--- A writer of users as the options say: `row(user, source)` for each, then `finish()`.
---@param session rollcall.cli.Session
---@param sources rollcall.cli.Source[] with their clients
---@param options rollcall.cli.ListingOptions?
---@return { row: fun(user: rollcall.User, source: rollcall.cli.Source), finish: fun() }
function listing.writer(session, sources, options)
  options = options or {}
  local args, current = session.args, {}
  local own, by_name, columns = { { name = "source", get = function()
    return current.source.name
  end } }, {}, nil
  for _, column in ipairs(options.own or {}) do
    own[#own + 1] = column
  end
  for _, column in ipairs(own) do
    by_name[column.name] = column
  end
  local chosen = names_of(args, sources, own, options)
  if chosen then
    columns = {}
    for i, name in ipairs(chosen) do
      columns[i] = by_name[name]
        or { name = name, get = path.compile(name), is_day = not args.fields and name == "last_seen_at" }
    end
  end
  local writer = writers[args.format](session, columns, current, options.is_continued)
  session.on_begin, session.is_waiting = writer.begin, writer.is_waiting
  local function finish()
    session.on_signal = nil
    writer.finish()
  end
  session.on_signal = finish -- an interrupted list is well-formed, too
  return {
    row = function(user, source)
      current.source = source
      writer.row(user)
    end,
    finish = finish,
  }
end

return listing
