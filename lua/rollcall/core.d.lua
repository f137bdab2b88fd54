---@meta rollcall.core

-- The native module. A script needs the decoder of it; the rest is what the Lua layer stands on.

local core = {}

---@class rollcall.DecoderOptions
---@field items string JSON Pointer (RFC 6901) of the array; "" is the document itself
---@field capture string[]? JSON Pointers of at most 16 scalars outside the array
---@field record userdata|table|nil the type of its records, from core.record_type
---@field max_bytes integer? of the document, 4 GiB
---@field max_item integer? bytes of one item, 8 MiB
---@field max_depth integer? of nesting, 512; at most 2048
---@field id string? the field by which `opening` knows records again; their text by default
---@field edges boolean? keeps the first and the last record for `edge`

--- Finds an array of objects in a stream of bytes and gives each object as a record when its last
--- byte has come. Raises where an option is wrong.
---@param options rollcall.DecoderOptions
---@return rollcall.Decoder
function core.decoder(options) end

---@class rollcall.Decoder: userdata
local Decoder = {}

--- Takes bytes, which may end anywhere. An error is of kind "decode", with `code` and `offset`, and
--- stays; the records before it can still be taken.
---@param bytes string
---@return true? good
---@return rollcall.Error? err
function Decoder:feed(bytes) end

--- Says that the document ends here.
---@return true? good
---@return rollcall.Error? err
function Decoder:finish() end

--- The next whole record; nil for "feed me more"; nil and an error.
---@return rollcall.User? record
---@return rollcall.Error? err
function Decoder:next() end

--- A captured scalar; core.null for JSON null; nil where there was none (yet). Raises for a pointer
--- that is not among the captures.
---@param pointer string
---@param numbers "text"? for a number as it stands in the document
---@return string|number|boolean|lightuserdata|nil value
function Decoder:captured(pointer, numbers) end

--- How many records there were so far, taken or not.
---@return integer count
function Decoder:found() end

--- What the records begin with, by their ids: equal for the same records in the same order.
---@return integer count of the records in it, 16 at most
---@return string first a text for the first one
---@return string all a text for all of them
---@return integer waiting bytes that wait to be taken
function Decoder:opening() end

--- What stands at a pointer in the first or the last record found so far, taken or not; core.null for
--- JSON null; nil where nothing does. Objects and arrays are tables. For a decoder with `edges`.
---@param which "first"|"last"
---@param pointer string
---@param numbers "text"? for a number as it stands in the document
---@return any value
function Decoder:edge(which, pointer, numbers) end

--- Gives its memory back at once, not when it is collected. Closing twice is harmless; any other
--- call raises then.
function Decoder:close() end

--- A type of records: what common field names mean for them, beside the fields of their own. The
--- table is copied; its values are JSON Pointers, functions of the record, or { constant }.
---@param common table<string, string|(fun(record: rollcall.User): any)|{ [1]: any }>
---@return table type
function core.record_type(common) end

--- See rollcall.json.
---@param record rollcall.User
---@return string
function core.json(record) end

--- See rollcall.totable.
---@param record rollcall.User
---@return table
function core.totable(record) end

--- See rollcall.pairs.
---@param record rollcall.User
---@return fun(table: table, key: any): any, any
---@return table
function core.pairs(record) end

--- See rollcall.at.
---@param record rollcall.User
---@param pointer string
---@return any
function core.at(record, pointer) end

--- The sentinel of JSON null: the NULL light userdata, which is cjson.null.
---@type lightuserdata
core.null = nil

--- What the command line needs of its terminal and of signals. Nothing happens to a signal before `catch`.
core.terminal = {}

--- Is this file descriptor a terminal?
---@param fd integer
---@return boolean
function core.terminal.is_terminal(fd) end

--- How many columns the terminal has; nil where it is none or does not say.
---@param fd integer
---@return integer? columns
function core.terminal.columns(fd) end

--- From now on SIGINT, SIGTERM and SIGHUP end a wait and are told by `caught`; the second one of a kind
--- kills. A write to a closed pipe fails and does not kill.
function core.terminal.catch() end

--- The signal that came, once, and the status that a shell gives to it; nil for none.
---@return "INT"|"TERM"|"HUP"|nil name
---@return integer? status
function core.terminal.caught() end

return core
