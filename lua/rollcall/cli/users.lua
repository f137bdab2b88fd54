-- rollcall users [SOURCE…]: every user of the sources, or those that match.

local failure = require "rollcall.cli.failure"
local listing = require "rollcall.cli.listing"
local resume = require "rollcall.cli.resume"
local seen_fields = require "rollcall.cli.seen_fields"
local walk = require "rollcall.cli.walk"

local users = { summary = "List the users of all sources, or of those named." }

-- The filters of the built-in providers, as options; other ones are given with --filter.
local FILTER_OPTIONS = { "status", "organization_type", "organization_id", "expand", "search" }

users.description = [[
Lists users as they arrive, in constant memory. Everybody is listed, whatever the status, unless a filter says
otherwise, or the provider: Okta leaves out whom it has deprovisioned.

Filters (--status and those below) are the provider's own and save requests; --where works on every field of
every provider.]]

users.epilog = [[Exit status: 0 somebody was listed, 1 nobody, 2 wrong usage or configuration, 3 a source failed.

Examples:
  rollcall users --where 'last_seen_at<90d' --where status=ACTIVE
  rollcall users tesouro -f csv --fields id,email,department.name > users.csv
  rollcall users --format ndjson --resume walk.checkpoint >> users.ndjson]]

local function pair(text)
  local name, value = text:match "^([%w_]+)=(.+)$"
  if not name then
    return nil, ("%s: expected NAME=VALUE"):format(text)
  end
  return { name, value }
end

function users.declare(command)
  command:argument "source":description "Names of sources; all by default.":args "*"
  listing.declare(command)
  command:option "--page-size":description "Users a page, at most the provider's maximum, which is the default."
    :argname "<n>":convert(failure.of_option("--page-size", listing.whole))
  command:option "--resume"
    :description("Write to this file, as users are written, where the walk stands, and go on from what is there: "
      .. "append the output of the same command to that of the interrupted one (>>). For ndjson and csv. --limit "
      .. "counts the users of one run.")
    :argname "<file>"
  command:option "--status":description "Tesouro: ACTIVE, INACTIVE, INVITED or ALL, the default here."
  command:option "--organization-type"
    :description "Tesouro: BANK, EMBEDDED, PLATFORM, TRANSACTOR or VERTICAL_SOFTWARE_PROVIDER."
  command:option "--organization-id":description "Tesouro: the organization of this id and all below it."
  command:option "--expand":description "Dintero: roles, which is the default here."
  command:option "--search":description "Dintero: in email and name, by the server."
  command:option "--filter"
    :description("Any filter of a provider, such as GitHub's role=admin. Several of the same name are a list, where it "
      .. "takes one.")
    :argname "<name=value>":count "*":convert(failure.of_option("--filter", pair))
end

--- The filters on the command line: a list of strings for each.
local function filters_of(args)
  local filters = {}
  for _, one in ipairs(args.filter or {}) do
    local name, text = one[1], one[2]
    filters[name] = filters[name] or {}
    table.insert(filters[name], text)
  end
  for _, name in ipairs(FILTER_OPTIONS) do
    if args[name] and filters[name] then
      failure.usage("--filter %s and --%s are the same; give one of them", name, (name:gsub("_", "-")))
    elseif args[name] then
      filters[name] = { args[name] }
    end
  end
  return filters
end

---@param session rollcall.cli.Session
---@return integer status
function users.run(session)
  local args = session.args
  if args.resume and args.format ~= "ndjson" and args.format ~= "csv" then
    failure.usage("--resume: a %s cannot be gone on with; add --format ndjson or --format csv", args.format)
  end
  listing.check_format(args)
  local sources = session:sources(args.source)
  session:clients(sources)
  local predicate, conditions = listing.predicate(session, sources)
  local output = resume.output_of(args)
  local saved = args.resume and resume.open(args.resume, output) or nil
  local writer = listing.writer(session, sources, { is_continued = saved ~= nil and saved.format == args.format })
  local columns = listing.fields(args)
  local seen = seen_fields.new(conditions, columns)
  local written, is_cut = 0, false
  local _, failures = walk.run(session, sources, {
    filters = filters_of(args),
    page_size = args.page_size,
    limit = not predicate and args.limit or nil,
    resume = saved,
    output = output,
  }, function(user, source)
    seen:see(user, source)
    if not predicate or predicate(user) then
      writer.row(user, source)
      written = written + 1
      is_cut = args.limit ~= nil and written >= args.limit
      return is_cut
    end
  end)
  writer.finish()
  if not is_cut and not saved then
    listing.tell_absent(session, sources, seen, conditions, columns)
  end
  if failures > 0 then
    session:tell_position "ended early"
  elseif written == 0 then
    session:say(saved and saved.parts and ("nobody was left to list: to begin anew, remove %s"):format(args.resume)
      or "nobody was found")
  end
  return failures > 0 and failure.FAILED or written > 0 and failure.FOUND or failure.NONE
end

return users
