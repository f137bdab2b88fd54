-- One page of a walk: its request, the users it has given, and what else its response says.

local answer = require "rollcall.paging.answer"
local declarations = require "rollcall.paging.declared"
local declared_answer = require "rollcall.http.declared_answer"

---@class rollcall.Page
---@field declared rollcall.ProviderCollection the collection of the page
---@field position rollcall.Position
---@field number integer from 1
---@field exchange rollcall.Exchange
---@field ledger rollcall.Ledger the users that the page has given
---@field before integer the number of users it had given before this walk, which resumed from a checkpoint
---@field saved string? its ledger as a checkpoint has it, without users not handed over yet as a page
---@field ended boolean its last byte has arrived, or never will
---@field whole boolean? the body is as declared, to its end
---@field is_new boolean? known not to repeat an earlier page
---@field answer rollcall.Answer? what it says besides its users, once whole
---@field next rollcall.Position? once ended
---@field err rollcall.Error? what went wrong after the users that have arrived
---@field is_cut boolean? a limit was reached within it
---@field held rollcall.User[]? read backwards: its users, in the order of their arrival
---@field held_attempt integer? the attempt at which they arrived
---@field head rollcall.Head? read backwards: once it is whole
local Page = {}
Page.__index = Page

local page = {}

-- Above this number of users a checkpoint has only a fingerprint of them, which keeps it to a few KiB.
local CHECKPOINT_IDS = 1000

--- A page that is being requested.
---@param self table with declared, position, number, ledger, saved and exchange; becomes the page
---@return rollcall.Page
function page.new(self)
  self.before, self.ended = self.ledger:given(), false
  return setmetatable(self, Page)
end

--- The number of its users that this walk has given.
---@return integer
function Page:given()
  return self.ledger:given() - self.before
end

--- Its ledger for a checkpoint; nil if no user was given.
---@param less_last boolean? without the last user
---@return string?
function Page:save(less_last)
  return self.ledger:given() > (less_last and 1 or 0) and self.ledger:save(CHECKPOINT_IDS, less_last) or nil
end

--- The error of a page that was fetched again, if it is unknown which of its users were given before.
---@return rollcall.Error
function Page:conflict()
  return self.exchange:error("decode", ("page %d was fetched again and is not the same: which of its users were given "
    .. "before cannot be told"):format(self.number), { code = "page_changed" })
end

--- Is there no array of users because there are no users? Some servers then leave out the array (RFC 7644, 3.4.2) or
--- the whole body, or send null, as Go does. So that no other document passes for an empty directory, the response must
--- not be an error document, and must state a total of 0 or be of a form that the provider declares as empty.
local function is_said_empty(collection, asked, made)
  local total = collection.paging.total
  local instead = asked.transfer:status() == 204 and "absent" or declared_answer.empty_words[asked.decode_err.code]
  return instead ~= nil and not asked.says_error
    and (declarations.has(collection.empty, instead) or total ~= nil and made:number(total) == 0)
end

--- Reads what its whole body says besides its users.
---@param base_url string
---@param capture string[] JSON Pointers
---@return boolean is_whole the body is as declared; otherwise `err` is set
function Page:settle(base_url, capture)
  local asked = self.exchange
  self.ended = true
  local made = answer.new(asked, self.position, base_url, capture)
  if asked.decode_err and not is_said_empty(self.declared, asked, made) then
    self.err = asked.decode_err
    return false
  end
  self.whole, self.answer = true, made
  return true
end

--- The total number of users that it states; nil if it states none or the provider does not declare where.
---@return integer?
function Page:total()
  local declared = self.declared.paging.total
  return self.answer and declared and self.answer:number(declared) or nil
end

return page
