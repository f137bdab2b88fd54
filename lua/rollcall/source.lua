-- The interface a stream reads from: a walk, several walks merged, or what filter, map and take make of another source.

---@class rollcall.Source
---@field front { head: rollcall.Head } its head returns the next user at once
---@field finished boolean
---@field err rollcall.Error? the error it ended with
---@field reason string? why it ended, see Stream:reason
---@field poll fun(self): any?, any the next user and, in a merge, its stream; or nil and the seconds to wait at most
---@field engines fun(self): rollcall.Engine[] what to wait on
---@field close fun(self)
---@field statistics fun(self): rollcall.Stats
---@field resume_point fun(self): string? where the script stands, as a checkpoint
---@field checkpoint fun(self): string? what scripts get: the same, or the checkpoint at which it is frozen
---@field mark fun(self): any its checkpoint, for `freeze`
---@field freeze fun(self, mark: any) keeps its checkpoint at the mark until `thaw` was called as often
---@field thaw fun(self)
---@field holder rollcall.Source? the source that is derived from it, if any
---@field holds (fun(self, source: rollcall.Source): boolean)? of a holder: is the user this source gave last still
---  withheld from the script?
---@field selection (fun(self, names: string[]): rollcall.Selection?)? what `values` of the head takes for these fields;
---  nil if it gives users only
---@field begin_page (fun(self, less_last: boolean?): rollcall.User[])? if it has pages: from here on users are handed
---  over as a page. Returns those of the page that have arrived
---@field end_page (fun(self): rollcall.PageInfo)? the page was handed over
---@field page_end rollcall.PageInfo? the last user of the page has been given

---@class rollcall.Head
---@field next fun(self): any? the next user, if it is there at once
---@field values fun(self, selection: rollcall.Selection): true?, any the same, as values of its fields
---@field conflict (fun(self): boolean)? is it unknown which users of a page that was fetched again were given before?

local source = {}

--- Seconds of a wait that only the engine ends.
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

--- The front of a source that never has a user to give at once.
source.empty_front = { head = source.empty_head }

-- What stream:reason returns for errors of these kinds; for others it is "error".
local reasons = { loop = "loop", budget = "budget", closed = "closed" }

--- The reason of a stream that ended with this error.
---@param err rollcall.Error
---@return string
function source.reason_of(err)
  return reasons[err.kind] or "error"
end

return source
