-- rollcall review [SOURCE…]: the questions of an access review, counted for each source.

local completion = require "rollcall.cli.completion"
local failure = require "rollcall.cli.failure"
local fold = require "rollcall.fold"
local listing = require "rollcall.cli.listing"
local one_line = require "rollcall.one_line"
local progress = require "rollcall.cli.progress"
local schema = require "rollcall.schema"
local tables = require "rollcall.tables"
local text_table = require "rollcall.cli.table"
local time = require "rollcall.time"
local walk = require "rollcall.cli.walk"

local review = { summary = "Count, for each source, what an access review asks." }

review.description = [[
For each source: its users by status, and these findings:

  no-mfa      can sign in, and is known to have no second factor
  stale       can sign in, and was not seen for --days days, or never and was
              made before them
  never-came  was invited and has never come
  admin       can sign in, and has a role with one of the words of --admin in
              its name, or a scope, an own one or a role's, that has one or
              begins with "admin:"

Who can sign in is whose status is not INVITED, INACTIVE or DELETED, nor one of Okta's STAGED and PROVISIONED, who
were invited, SUSPENDED and DEPROVISIONED. Where a provider says nothing of second
factors there is a "-", and so there is where it says nothing of last visits (who was made long ago may come daily), of
statuses (nobody knows who was invited), or of roles and scopes. A source that failed, or was cut by a
limit of its configuration, is marked as incomplete, and so is the total; CSV has a column for it.]]

review.epilog = [[
Exit status: 0 reviewed, 1 no users, or one of the findings of --fail-on, 2 wrong usage or configuration, 3 a
source failed, or was cut by a limit of its configuration. Of what a source says nothing of, --fail-on finds
nothing: that is said, unless --quiet.

Memory does not grow with the number of users, but for --list while a source has told of no last visit: those to be
listed who were made long ago are kept until then.

Examples:
  rollcall review --format markdown > review.md
  rollcall review --fail-on no-mfa,stale
  rollcall review --list stale,admin --format csv > who.csv]]

local DAY = 86400
local MAX_DAYS = 1e6
local FINDINGS = { "no-mfa", "stale", "never-came", "admin" }
local NAMES = { "no-mfa", "stale", "never-came", "admin", "all" } -- for the options that take findings
local TITLES = { ["no-mfa"] = "NO MFA", stale = "STALE", ["never-came"] = "NEVER CAME", admin = "ADMIN" }
local STATUSES = { "ACTIVE", "INVITED", "INACTIVE", "DELETED" } -- shown first
local was_invited = { INVITED = true, STAGED = true, PROVISIONED = true }
local cannot_sign_in = tables.with(was_invited, { INACTIVE = true, DELETED = true, SUSPENDED = true,
  DEPROVISIONED = true })

local function days(text)
  local number = tonumber(text:match "^(%d+)d?$")
  if not number or number > MAX_DAYS then
    return nil, ("%s: expected a number of days, at most %d"):format(text, MAX_DAYS)
  end
  return number
end

--- A converter for argparse: a list of findings.
local function findings(text)
  local list = {}
  for part in text:gmatch "[^,%s]+" do
    if part == "all" then
      return FINDINGS
    elseif not TITLES[part] then
      local near = schema.nearest(part, NAMES)
      return nil, ("%s is none of %s%s"):format(part, table.concat(NAMES, ", "),
        near and (" (did you mean %s?)"):format(near) or "")
    end
    list[#list + 1] = part
  end
  if #list == 0 then
    return nil, "expected one or more of " .. table.concat(NAMES, ", ")
  end
  return list
end

function review.declare(command)
  command:argument "source":description "Names of sources; all by default.":args "*"
  command:option "--days"
    :description "After how many days without a sign of life somebody is stale.":argname "<n>"
    :convert(failure.of_option("--days", days)):default "90"
  command:option "--admin":description "Words of administrators' roles and scopes, with commas between."
    :argname "<word,...>":default "admin,owner"
  local fail_on = command:option "--fail-on"
    :description "End with status 1 where one of these is found: findings with commas between, or all."
    :argname "<finding,...>":convert(failure.of_option("--fail-on", findings))
  local list = command:option "-l" "--list"
    :description "List who has one of these findings, with all the findings of each, instead of counting."
    :argname "<finding,...>":convert(failure.of_option("--list", findings))
  completion.offer(fail_on, NAMES)
  completion.offer(list, NAMES)
  command:option "-f" "--format":description "How: table, markdown, csv; with --list table, csv, ndjson, json."
    :choices { "table", "markdown", "csv", "ndjson", "json" }:default "table"
  command:option "--fields":description "With --list: which fields; findings is one.":argname "<field,...>"
  command:flag "--bom":description "CSV: begin with a byte order mark, by which Excel knows UTF-8."
  command:flag "--formulas":description "CSV: leave texts as they are that a spreadsheet may take for formulas."
end

-- -- findings ---------------------------------------------------------------------------------------

local function words_of(text)
  local words = {}
  for word in text:gmatch "[^,]+" do
    words[#words + 1] = fold.lower(word:match "^%s*(.-)%s*$")
  end
  return words
end

local function list_of(value)
  return type(value) == "table" and value or {}
end

local function has_word(text, words)
  local folded = type(text) == "string" and fold.lower(text) or ""
  for _, word in ipairs(words) do
    if word ~= "" and folded:find(word, 1, true) then
      return true
    end
  end
  return false
end

--- Is one of these scopes an administrator's? They are a list, or a string with blanks between (RFC 6749).
local function has_admin_scope(scopes, words)
  local list = list_of(scopes)
  if type(scopes) == "string" then
    for scope in scopes:gmatch "%S+" do
      list[#list + 1] = scope
    end
  end
  for _, scope in ipairs(list) do
    if type(scope) == "string" and scope:find "^admin:" or has_word(scope, words) then
      return true
    end
  end
  return false
end

local function is_admin(user, words)
  local names = user.role_names
  for _, name in ipairs(type(names) == "table" and names or { names }) do
    if has_word(name, words) then
      return true
    end
  end
  for _, role in ipairs(list_of(user.roles)) do
    if type(role) == "table" and has_admin_scope(role.scope, words) then
      return true
    end
  end
  return has_admin_scope(user.scope, words)
end

--- The time of a user's last visit, or else of its creation; nil if neither is known.
local function last_sign(user)
  return time.parse(user.last_seen_at) or time.parse(user.created_at)
end

--- A function that returns the findings about a user: a set, by the names of FINDINGS. A user who was never seen is
--- stale only if the source reports last visits at all.
local function finder(session)
  local words = words_of(session.args.admin)
  local stale_before = session.now - session.args.days * DAY
  return function(user)
    local status, found = user.status, {}
    if was_invited[status] then
      found["never-came"] = (user.last_seen_at or "") == ""
    end
    if not cannot_sign_in[status] then
      local at = last_sign(user)
      found["no-mfa"] = user.mfa == false
      found.stale = at ~= nil and at < stale_before
      found.admin = is_admin(user, words)
    end
    return found
  end
end

--- What a source must report for a finding to be known, in words.
local UNSAID = { ["no-mfa"] = "second factors", stale = "last visits", ["never-came"] = "statuses",
  admin = "roles or scopes" }

local function new_count(name)
  return { name = name, users = 0, statuses = {}, found = {}, says = {} }
end

--- Does this source report what the finding needs?
local function is_known(count, name)
  return count.says[name] == true
end

local function add(count, user, found)
  local status = type(user.status) == "string" and user.status ~= "" and user.status or "?"
  count.users = count.users + 1
  count.statuses[status] = (count.statuses[status] or 0) + 1
  local says = count.says
  says["no-mfa"] = says["no-mfa"] or user.mfa ~= nil
  says.stale = says.stale or time.parse(user.last_seen_at) ~= nil
  says["never-came"] = says["never-came"] or status ~= "?"
  says.admin = says.admin or user.role_names ~= nil or user.roles ~= nil or user.scope ~= nil
  for name, is_found in pairs(found) do
    count.found[name] = (count.found[name] or 0) + (is_found and 1 or 0)
  end
end

local function sum_of(counts)
  local sum = new_count "total"
  for _, count in ipairs(counts) do
    sum.users = sum.users + count.users
    sum.is_incomplete = sum.is_incomplete or count.is_incomplete
    for status, number in pairs(count.statuses) do
      sum.statuses[status] = (sum.statuses[status] or 0) + number
    end
    for name, number in pairs(count.found) do
      if is_known(count, name) then
        sum.found[name] = (sum.found[name] or 0) + number
      end
    end
    for name in pairs(UNSAID) do
      sum.says[name] = sum.says[name] or count.says[name]
    end
  end
  return sum
end

-- -- output -----------------------------------------------------------------------------------------

--- All statuses in use, the usual ones first.
local function statuses_of(sum)
  local list, rest, known = {}, {}, {}
  for _, status in ipairs(STATUSES) do
    known[status] = true
    list[#list + 1] = sum.statuses[status] and status or nil
  end
  for status in pairs(sum.statuses) do
    rest[#rest + 1] = not known[status] and status or nil
  end
  table.sort(rest)
  for _, status in ipairs(rest) do
    list[#list + 1] = status
  end
  return list
end

--- The table of counts: a header, and a row of numbers and strings for each source.
local function grid(counts, sum)
  local header, rows, statuses = { "SOURCE", "USERS" }, {}, statuses_of(sum)
  for _, status in ipairs(statuses) do
    header[#header + 1] = status
  end
  for _, name in ipairs(FINDINGS) do
    header[#header + 1] = TITLES[name]
  end
  local all = {}
  for i, count in ipairs(counts) do
    all[i] = count
  end
  all[#all + 1] = #counts > 1 and sum or nil
  for i, count in ipairs(all) do
    local row = { count.is_incomplete and count.name .. " (incomplete)" or count.name, count.users }
    for _, status in ipairs(statuses) do
      row[#row + 1] = count.statuses[status] or 0
    end
    for _, name in ipairs(FINDINGS) do
      row[#row + 1] = is_known(count, name) and (count.found[name] or 0) or "-"
    end
    row.name, row.is_complete = count.name, not count.is_incomplete
    rows[i] = row
  end
  return header, rows
end

local function texts(row)
  local cells = {}
  for i, value in ipairs(row) do
    cells[i] = type(value) == "number" and progress.number(value) or value
  end
  return cells
end

local is_finding = {} -- by the names of their columns
for _, title in pairs(TITLES) do
  is_finding[title:lower():gsub(" ", "_")] = true
end

local shows = {}

function shows.table(session, header, rows)
  local right = {}
  for i = 2, #header do
    right[i] = true
  end
  local shown = text_table.new(header, function(line)
    session.output:write(line)
  end, { columns = session:columns(), bold = session:is_bold(), right = right })
  for _, row in ipairs(rows) do
    shown:row(texts(row))
  end
  shown:finish()
end

function shows.markdown(session, header, rows)
  local function line(cells)
    for i, cell in ipairs(cells) do
      cells[i] = one_line(cell):gsub("[\\|]", "\\%0")
    end
    session.output:write("| " .. table.concat(cells, " | ") .. " |\n")
  end
  session.output:write(("Access review, %s: stale is not seen for %d days.\n\n"):format(
    time.format(session.now):sub(1, 10), session.args.days))
  line(header)
  session.output:write("| --- |" .. (" ---: |"):rep(#header - 1) .. "\n")
  for _, row in ipairs(rows) do
    line(texts(row))
  end
end

function shows.csv(session, header, rows)
  local columns, taken = {}, {}
  for i, title in ipairs(header) do
    local name = title:lower():gsub(" ", "_")
    local is_status = i > 2 and i <= #header - #FINDINGS
    if is_status and (taken[name] or is_finding[name]) then
      name = "status_" .. title
    end
    taken[name] = true
    columns[i] = { name = name, get = function(row)
      return row[i] ~= "-" and row[i] or nil
    end }
  end
  columns[1].get = function(row)
    return row.name
  end
  columns[#columns + 1] = { name = "complete", get = function(row)
    return row.is_complete
  end }
  local writer = listing.csv(session, columns)
  session.output:write(writer:header())
  for _, row in ipairs(rows) do
    session.output:write(writer:row(row))
  end
end

-- -- the command ------------------------------------------------------------------------------------

local function check_format(args)
  if args.list and args.format == "markdown" then
    failure.usage("--list: expected --format table, csv, ndjson or json")
  elseif not args.list and not shows[args.format] then
    failure.usage("--format %s is for --list; without it: table, markdown or csv", args.format)
  elseif args.fields and not args.list then
    failure.usage("--fields is for --list")
  end
  listing.check_format(args)
end

--- A writer of the users with one of the findings of --list; nil without --list. Users who may be stale are held back
--- until their source reports a last visit, or has ended.
local function lister(session, sources)
  if not session.args.list then
    return nil
  end
  local current
  local waiting = {} -- by source: lists of { user, found }
  local writer = listing.writer(session, sources, { own = { { name = "findings", get = function()
    local list = {}
    for _, name in ipairs(FINDINGS) do
      list[#list + 1] = current[name] and name or nil
    end
    return list
  end } } })
  local function is_listed(found)
    for _, name in ipairs(session.args.list) do
      if found[name] then
        return true
      end
    end
    return false
  end
  local function write(user, source, found)
    if is_listed(found) then
      current = found
      writer.row(user, source)
    end
  end
  local function write_waiting(source, is_stale)
    for _, one in ipairs(waiting[source] or {}) do
      one.found.stale = is_stale
      write(one.user, source, one.found)
    end
    waiting[source] = nil
  end
  return {
    see = function(user, source, found, count)
      if is_known(count, "stale") then
        write_waiting(source, true)
      elseif found.stale and is_listed(found) then
        waiting[source] = waiting[source] or {}
        table.insert(waiting[source], { user = user, found = found })
        return
      end
      write(user, source, found)
    end,
    finish = function()
      for _, source in ipairs(sources) do
        write_waiting(source, false)
      end
      writer.finish()
    end,
  }
end

--- Says which sources report too little for a finding of --fail-on or --list.
local function tell_unknown(session, counts)
  local is_asked = {}
  for _, list in ipairs { session.args.fail_on or {}, session.args.list or {} } do
    for _, name in ipairs(list) do
      is_asked[name] = true
    end
  end
  for _, name in ipairs(FINDINGS) do
    for _, count in ipairs(counts) do
      if is_asked[name] and count.users > 0 and not is_known(count, name) then
        session:say(("%s says nothing of %s: its users were not checked for %s"):format(count.name, UNSAID[name], name))
      end
    end
  end
end

---@param session rollcall.cli.Session
---@return integer status
function review.run(session)
  local args = session.args
  check_format(args)
  local sources = session:sources(args.source)
  session:clients(sources)
  local find, list = finder(session), lister(session, sources)
  local counts, by_source = {}, {}
  for i, source in ipairs(sources) do
    counts[i] = new_count(source.name)
    by_source[source] = counts[i]
  end
  if not list then
    function session.is_waiting()
      return true -- until all are counted
    end
  end
  local users, failures = walk.run(session, sources, {}, function(user, source)
    local found = find(user)
    add(by_source[source], user, found)
    if list then
      list.see(user, source, found, by_source[source])
    end
  end)
  local is_cut = false
  for i, source in ipairs(sources) do
    counts[i].is_incomplete = source.has_failed or source.is_cut
    if source.is_cut and not source.has_failed then
      session:complain(source.name .. " was cut by a limit of its configuration: the review is incomplete")
      is_cut = true
    end
  end
  for _, source in ipairs(session.unavailable) do
    counts[#counts + 1] = new_count(source.name)
    counts[#counts].is_incomplete = true
  end
  local sum = sum_of(counts)
  if list then
    list.finish()
  else
    shows[args.format](session, grid(counts, sum))
  end
  tell_unknown(session, counts)
  local reasons = {}
  for _, name in ipairs(args.fail_on or {}) do
    local number = sum.found[name] or 0
    if number > 0 then
      reasons[#reasons + 1] = ("%s %s"):format(progress.number(number), name)
    end
  end
  if #reasons > 0 then
    session:say("found what --fail-on names: " .. table.concat(reasons, ", "))
  end
  if failures > 0 or is_cut and #reasons == 0 then
    return failure.FAILED
  end
  return (users == 0 or #reasons > 0) and failure.NONE or failure.FOUND
end

return review
