-- What a stream stands on: a walk, several walks merged, or what filter, map and take make of another source.

---@class rollcall.Source
---@field front { head: rollcall.Head } its head gives the next user at once
---@field finished boolean
---@field err rollcall.Error? why it ended, if not well
---@field reason string? why it ended
---@field poll fun(self): any?, any the next user and what belongs to it; or nil and seconds to wait at most
---@field engines fun(self): rollcall.Engine[] what to wait on
---@field close fun(self)
---@field statistics fun(self): rollcall.Stats
---@field resume_point fun(self): string? where the script stands, as a checkpoint
---@field checkpoint fun(self): string? what scripts are told: the same, or where it is frozen
---@field mark fun(self): any its checkpoint, to freeze it at
---@field freeze fun(self, mark: any) its checkpoint is to stay there, until it is thawed as often
---@field thaw fun(self)
---@field holder rollcall.Source? the one that stands on it, if any
---@field holds (fun(self, source: rollcall.Source): boolean)? of a holder: does it keep from the script the user that
---  this source gave last?
---@field selection (fun(self, names: string[]): rollcall.Selection?)? what `values` of the head takes for these fields;
---  nil where it gives users only
---@field begin_page (fun(self, less_last: boolean?): rollcall.User[])? where it has pages: from here on users are
---  handed on as a page. Answers those of it that are there
---@field end_page (fun(self): rollcall.PageInfo)? the page is handed on
---@field page_end rollcall.PageInfo? the last user of the page has been given

---@class rollcall.Head
---@field next fun(self): any? the next user, where it is there at once
---@field values fun(self, selection: rollcall.Selection): true?, any the same as values of its fields
---@field conflict (fun(self): boolean)? can it not be told which users of a page that came again were given before?

local source = {}

--- A wait that only the engine ends, in seconds.
source.FOREVER = 3600

--- The head of a source that has no user to give at once.
---@type rollcall.Head
source.empty_head = {
  next = function() end,
  values = function() end,
  conflict = function()
    return false
  end,
}

--- The front of a source that never has one.
source.empty_front = { head = source.empty_head }

-- What stream:reason says of errors of these kinds; of the others it is "error".
local reasons = { loop = "loop", budget = "budget", closed = "closed" }

--- Why a stream has ended that ended with this error.
---@param err rollcall.Error
---@return string
function source.reason_of(err)
  return reasons[err.kind] or "error"
end

return source
