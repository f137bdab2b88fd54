-- rollcall diff OLD [NEW]: who joined, left or changed between two snapshots, or a snapshot and now.
--
-- For the old snapshot an index is kept, see snapshot.lua. For the new one only the keys of those who joined are kept.

local aliases = require "rollcall.cli.aliases"
local changes = require "rollcall.cli.changes"
local comparison = require "rollcall.cli.comparison"
local failure = require "rollcall.cli.failure"
local listing = require "rollcall.cli.listing"
local progress = require "rollcall.cli.progress"
local query = require "rollcall.cli.query"
local snapshot = require "rollcall.cli.snapshot"
local tables = require "rollcall.tables"
local walk = require "rollcall.cli.walk"

local SHOWN_ABSENT = 5 -- sources and accounts

local diff = { summary = "Compare two snapshots, or a snapshot and now: who came, left and changed." }

diff.description = [[
Snapshots are what `rollcall users --format ndjson` writes. Without NEW the old one is compared with what its
sources say now.

Users are known again by source, account_id and id (or email, where they have no id). A snapshot is whole where
`rollcall users` ended with 0; of who is missing in another nobody knows whether they left.]]

diff.epilog = [[
Memory: for each user of OLD, and for each who joined, some 200 bytes (400 on LuaJIT). OLD is read twice: where it
is a pipe all of it is kept.

Exit status: 0 no difference, 1 differences, 2 wrong usage, configuration or snapshot, 3 a source failed,
or was cut by a limit of its configuration.

Examples:
  rollcall users --format ndjson > monday.ndjson
  rollcall diff monday.ndjson
  rollcall diff monday.ndjson friday.ndjson --format csv]]

-- Fields of users that change by themselves.
local IGNORED = "last_seen_at,updated_at"

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

--- Ends the command if users of several sources, or accounts, could be mistaken for one another, since the snapshot
--- does not say whose they are.
local function check_names_of_sources(session, sources, old)
  local lacks = #sources + #session.unavailable > 1 and not old.fields.source and "source"
  for _, source in ipairs(not old.fields.account_id and sources or {}) do
    lacks = lacks or query.list_option(source) and "account_id"
  end
  if lacks and old.count > 0 then
    failure.usage("%s: its users have no %s, by which those of several are told apart; take it with --fields "
      .. "source,account_id,id and what else is to be compared%s", old.name, lacks,
      lacks == "source" and ", or compare it with one --source" or "")
  end
end

--- Calls visit(text, name, number) for each current user of the sources; returns which sources failed.
---@return table<string, boolean> failed by name, also those cut by a limit of the configuration
local function each_user(session, old, visit)
  local named = session.args.source or {}
  local sources = session:sources(#named > 0 and named or tables.keys(old.sources))
  local is_part = #named == 0 and next(old.sources) ~= nil
  for _, name in ipairs(session.names) do
    if is_part and not old.sources[name] then
      session:say(("%s is not compared: nobody of it is in %s"):format(name, old.name))
    end
  end
  session:clients(sources)
  check_names_of_sources(session, sources, old)
  local current = {}
  local whole = listing.whole_user(current)
  local number = 0
  walk.run(session, sources, {}, function(user, source)
    current.source = source
    number = number + 1
    visit(whole(user), source.name, number)
  end)
  local failed = {}
  for _, list in ipairs { sources, session.unavailable } do
    for _, source in ipairs(list) do
      failed[source.name] = source.has_failed or source.is_cut or nil
    end
  end
  return failed
end

---@class rollcall.cli.Comparison of the old snapshot with a new one, or with now
---@field session rollcall.cli.Session
---@field old rollcall.cli.Snapshot
---@field known table<string, boolean>? the old snapshot's fields; nil if it has no users
---@field differences fun(old: table, new: table): rollcall.cli.Difference[]
---@field show rollcall.cli.Show
---@field finish fun()
---@field count { joined: integer, left: integer, changed: integer, same: integer }
---@field sources table<string, boolean> of the new snapshot
---@field accounts table<string, string> of the new snapshot: source by snapshot.account_of
---@field again integer lines whose user had one before
---@field lacks_account boolean? a user of the new snapshot lacks an account_id that the old ones have
local Comparison = {}
Comparison.__index = Comparison

---@param session rollcall.cli.Session
---@param old rollcall.cli.Snapshot
---@return rollcall.cli.Comparison
local function compare(session, old)
  local show, finish = changes[session.args.format](session)
  return setmetatable({
    session = session,
    old = old,
    known = old.count > 0 and old.fields or nil,
    differences = comparison.new(session.args, old.fields, aliases.new(session)),
    show = show,
    finish = finish or function() end,
    count = { joined = 0, left = 0, changed = 0, same = 0 },
    sources = {}, -- of the new one
    accounts = {}, -- the same, by snapshot.account_of
    again = 0, -- lines whose user had one before
  }, Comparison)
end

function Comparison:tell(change, user, differences)
  self.count[change] = self.count[change] + 1
  self.show(change, user, differences)
end

--- Ends the command if a user lacks what identifies those of OLD; warns if the user may.
function Comparison:check(user, source, name, number)
  local old, known = self.old, self.known
  local text_of = snapshot.text_of
  if text_of(user.account_id) == "" and old.all_have.account_id[source] and not self.lacks_account then
    self.lacks_account = true
    self.session:say(("%s:%d: a user without account_id, which those of %s have: where all lack it, take both "
      .. "snapshots with the same --fields, lest everybody seems to have left and joined")
      :format(name, number, old.name))
  end
  local lacks = known and known.source and text_of(user.source) == "" and "source"
    or text_of(user.id) == "" and old.all_have.id[source] and "id"
  if lacks then
    failure.usage("%s:%d: a user without %s, which those of %s have; take both snapshots with the same --fields",
      name, number, lacks, old.name)
  end
end

--- Compares a user of the new snapshot.
function Comparison:visit(text, name, number)
  local old, user = self.old, snapshot.decode(text, name, number)
  local source = snapshot.text_of(user.source)
  local account, of = snapshot.account_of(user, self.known)
  self.sources[source], self.accounts[account] = true, of
  self:check(user, source, name, number)
  local key = snapshot.key_of(user, name, number, self.known)
  local place = old.line_offsets[key]
  if place == false then -- a user who is listed twice is compared once
    self.again = self.again + 1
    return
  end
  old.line_offsets[key] = false
  if place == nil then
    return self:tell("joined", user)
  end
  local before = old:text(place)
  local differences = before ~= text and self.differences(snapshot.decode(before, old.name, 0), user) or {}
  if #differences > 0 then
    self:tell("changed", user, differences)
  else
    self.count.same = self.count.same + 1
  end
end

--- Says which sources and accounts of one snapshot have no users at all in the other one, whose walk may have been
--- incomplete.
---@param name string of the other
---@param change "left"|"joined" what they seem to have done
---@param one { sources: table<string, boolean>, accounts: table<string, string> }
---@param other { sources: table<string, boolean>, accounts: table<string, string> }
---@param left_out table<string, boolean> sources that are known to be incomplete, or were not asked for
function Comparison:tell_absent(name, change, one, other, left_out)
  local absent = {}
  for _, source in ipairs(tables.keys(one.sources)) do
    absent[#absent + 1] = source ~= "" and not other.sources[source] and not left_out[source] and source or nil
  end
  for _, account in ipairs(not self.lacks_account and tables.keys(one.accounts) or {}) do
    local source = one.accounts[account]
    if source ~= "" and other.sources[source] and not other.accounts[account] and not left_out[source] then
      absent[#absent + 1] = account
    end
  end
  if #absent > 0 then
    local more = #absent > SHOWN_ABSENT and (" and %d more"):format(#absent - SHOWN_ABSENT) or ""
    self.session:say(("%s: nobody of %s%s is in it, as if all had %s; was its walk whole?"):format(name,
      table.concat(absent, ", ", 1, math.min(#absent, SHOWN_ABSENT)), more, change))
  end
end

--- Reports what makes the differences doubtful.
---@param wanted string[] the sources that were compared; empty if all were
---@param failed table<string, boolean>
function Comparison:tell_doubts(wanted, failed)
  local session, old = self.session, self.old
  local left_out = tables.with(failed, {})
  for source in pairs(#wanted > 0 and old.sources or {}) do
    left_out[source] = true
  end
  for _, source in ipairs(wanted) do
    left_out[source] = failed[source]
  end
  self:tell_absent(session.args.new or "now", "left", old, self, left_out)
  self:tell_absent(old.name, "joined", self, old, left_out)
  for name, again in pairs { [old.name] = old.again, [session.args.new or "now"] = self.again } do
    if again > 0 then
      session:say(("%s: %s of users that it has already: the first of each is compared"):format(name,
        progress.count(again, "line")))
    end
  end
end

--- Reports those of OLD who were not seen.
---@param wanted string[] the sources that were compared; empty if all were
---@param failed table<string, boolean> sources for which it is not known who left
function Comparison:tell_left(wanted, failed)
  local old, is_wanted = self.old, {}
  for _, name in ipairs(wanted) do
    is_wanted[name] = true
  end
  for _, place in ipairs(old:left()) do
    local user = snapshot.decode(old:text(place), old.name, 0)
    local may_be_there = failed[snapshot.text_of(user.source)] or user.source == nil and next(failed) ~= nil
    if (next(is_wanted) == nil or user.source == nil or is_wanted[user.source]) and not may_be_there then
      self:tell("left", user)
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
  local old = snapshot.index(session, args.old)
  local compared = compare(session, old)
  local function visit(text, name, number)
    compared:visit(text, name, number)
  end
  local failed = {}
  if args.new then
    snapshot.each_line(session, snapshot.open(args.new), args.new, visit)
  else
    failed = each_user(session, old, visit)
  end
  compared:tell_doubts(args.source or {}, failed)
  compared:tell_left(args.source or {}, failed)
  compared.finish()
  local is_whole = next(failed) == nil
  local count, number = compared.count, progress.number
  session:say(("%s joined, %s left%s, %s changed, %s the same"):format(number(count.joined), number(count.left),
    is_whole and "" or (" (who left %s is not known)"):format(table.concat(tables.keys(failed), ", ")),
    number(count.changed), number(count.same)))
  if not is_whole then
    return failure.FAILED
  end
  return count.joined + count.left + count.changed > 0 and failure.NONE or failure.FOUND
end

return diff
