-- One page of a walk: what was asked for, what it has given, and what it said beside its users.

local answer = require "rollcall.paging.answer"
local declarations = require "rollcall.paging.declared"
local declared_answer = require "rollcall.http.declared_answer"

---@class rollcall.Page
---@field declared rollcall.ProviderCollection whose page it is
---@field position rollcall.Position
---@field number integer from 1
---@field exchange rollcall.Exchange
---@field ledger rollcall.Ledger what the page has given
---@field before integer what it had given before this walk, which goes on from a checkpoint
---@field saved string? that, as the checkpoint has it
---@field ended boolean its last byte has arrived, or never will
---@field whole boolean? the body is what was declared, to its end
---@field is_new boolean? it is none that has come before
---@field answer rollcall.Answer? what it said beside its users, once whole
---@field next rollcall.Position? once ended
---@field err rollcall.Error? what went wrong after the users that are there
---@field is_cut boolean? a limit was reached in its middle
---@field held rollcall.User[]? read backwards: its users, in the order in which they came
---@field held_attempt integer? at which they came
---@field head rollcall.Head? of a page that is read backwards, once it is whole
local Page = {}
Page.__index = Page

local page = {}

-- Beyond so many users a checkpoint knows them by a fingerprint only: a few KiB.
local CHECKPOINT_IDS = 1000

--- A page that is asked for.
---@param self table its declared, position, number, ledger, saved and exchange, which it becomes
---@return rollcall.Page
function page.new(self)
  self.before, self.ended = self.ledger:given(), false
  return setmetatable(self, Page)
end

--- How many of its users were given in this walk.
---@return integer
function Page:given()
  return self.ledger:given() - self.before
end

--- What it has given, for a checkpoint: nil for nothing.
---@param less_last boolean? but for the last
---@return string?
function Page:save(less_last)
  return self.ledger:given() > (less_last and 1 or 0) and self.ledger:save(CHECKPOINT_IDS, less_last) or nil
end

--- The error of a page whose users cannot be told from those that were given before.
---@return rollcall.Error
function Page:conflict()
  return self.exchange:error("decode", ("page %d was fetched again and is not the same: which of its users were given "
    .. "before cannot be told"):format(self.number), { code = "page_changed" })
end

--- Is there no array of users because there are none? Some leave it out then (RFC 7644, 3.4.2) or the whole body, or
--- have null there, as Go does. That they say so is needed, lest another document be taken for an empty directory: a
--- total of 0, or the provider's word for it and a document that is no error's.
local function is_said_empty(collection, asked, made)
  local total = collection.paging.total
  local instead = asked.transfer:status() == 204 and "absent" or declared_answer.empty_words[asked.decode_err.code]
  return instead ~= nil and not asked.says_error
    and (declarations.has(collection.empty, instead) or total ~= nil and made:number(total) == 0)
end

--- Its body is whole: reads what it said beside its users.
---@param base_url string
---@param capture string[] JSON Pointers
---@return boolean is_whole it is what was declared; else it has an error
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

--- How many users there are, as it says; nil where that is not declared, or it does not.
---@return integer?
function Page:total()
  local declared = self.declared.paging.total
  return self.answer and declared and self.answer:number(declared) or nil
end

return page
