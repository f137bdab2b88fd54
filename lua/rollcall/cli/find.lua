-- rollcall find EMAIL|NAME: where a person has access, in all sources at once.

local csv = require "rollcall.csv"
local failure = require "rollcall.cli.failure"
local fold = require "rollcall.fold"
local listing = require "rollcall.cli.listing"
local progress = require "rollcall.cli.progress"
local seen_fields = require "rollcall.cli.seen_fields"
local walk = require "rollcall.cli.walk"

local find = { summary = "Find a person in all sources, by email or name." }

find.description = [[
Looks through every user of every source, whatever the status (but Okta's DEPROVISIONED). A whole email address
must be the same, capital or small; of anything else each word must be in the name or the email.]]

find.epilog = [[
Exit status: 0 found, 1 nobody was found, 2 wrong usage or configuration, 3 a source failed, was cut by a
limit of its configuration, or says nothing of emails, so that nobody can be sure that this is all.

Examples:
  rollcall find jane.doe@example.com
  rollcall find 'jane doe' --format csv]]

function find.declare(command)
  command:argument "person":description "An email address, or words of a name."
  command:option "-s" "--source":description "Look in this source only; may be repeated.":count "*":argname "<source>"
  listing.declare(command)
end

-- A table shows an account's name, or its id if it has none.
local FOR_PEOPLE = {
  own = { { name = "account", get = function(user)
    return user.account_name or user.account_id
  end } },
  defaults = { "source", "account", "email", "name", "status", "role_names", "mfa", "last_seen_at" },
}

--- A function that tells whether a user is the person asked for, and whether the text is an address.
local function matcher(text)
  local wanted = fold.lower(text:match "^%s*(.-)%s*$")
  if wanted == "" then
    failure.usage("find: expected an email address or a name")
  end
  if wanted:find "^[^@%s]+@[^@%s]+$" then
    return function(user)
      return type(user.email) == "string" and fold.lower(user.email) == wanted
    end, true
  end
  local words = {}
  for word in wanted:gmatch "%S+" do
    words[#words + 1] = word
  end
  return function(user)
    local both = fold.lower(csv.text(user.email) .. "\n" .. csv.text(user.name))
    for _, word in ipairs(words) do
      if not both:find(word, 1, true) then
        return false
      end
    end
    return true
  end, false
end

--- Says which sources have no user with an email, so that no user could match.
---@return boolean some
local function tell_uncompared(session, sources, seen)
  local lacking, users = seen:without("email", sources)
  if #lacking > 0 then
    session:complain(("%s says nothing of emails: %s could not be compared; look for a name"):format(
      table.concat(lacking, ", "), progress.count(users, "user")))
  end
  return #lacking > 0
end

--- Says which sources were searched only in part, since a limit of their configuration cut them.
---@return boolean some
local function tell_cut(session, sources)
  local is_cut = false
  for _, source in ipairs(sources) do
    if source.is_cut and not source.has_failed then
      session:complain(source.name .. ": a limit of its configuration was reached: not all of its users were looked at")
      is_cut = true
    end
  end
  return is_cut
end

---@param session rollcall.cli.Session
---@return integer status
function find.run(session)
  local args = session.args
  local is_wanted, is_address = matcher(args.person)
  listing.check_format(args)
  local sources = session:sources(args.source)
  session:clients(sources)
  local predicate, conditions = listing.predicate(session, sources)
  local seen = seen_fields.new({ "email" }, conditions)
  local writer = listing.writer(session, sources, args.format == "table" and FOR_PEOPLE or nil)
  local found = 0
  local _, failures = walk.run(session, sources, {}, function(user, source)
    seen:see(user, source)
    if is_wanted(user) and (not predicate or predicate(user)) then
      writer.row(user, source)
      found = found + 1
      return args.limit ~= nil and found >= args.limit
    end
  end)
  writer.finish()
  if found == 0 then
    listing.tell_absent(session, sources, seen, conditions, {})
  end
  local is_enough = args.limit ~= nil and found >= args.limit
  local is_sure = failures == 0
  if not is_enough then
    local is_uncompared = is_address and tell_uncompared(session, sources, seen)
    is_sure = not tell_cut(session, sources) and not is_uncompared and is_sure
  end
  if found == 0 and is_sure then
    session:say(("nobody was found for %q in %d source%s"):format(args.person, #sources, #sources == 1 and "" or "s"))
  end
  return not is_sure and failure.FAILED or found > 0 and failure.FOUND or failure.NONE
end

return find
