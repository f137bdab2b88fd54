---@meta rollcall.core

-- The native module. Scripts may use its decoder; the rest is the basis of the Lua layer.

local core = {}

---@class rollcall.DecoderOptions
---@field items string JSON Pointer (RFC 6901) of the array; "" is the document itself
---@field capture string[]? JSON Pointers of at most 16 scalars outside the array
---@field record table? the type of its records, from core.record_type
---@field max_bytes integer? of the document, 4 GiB by default
---@field max_item integer? bytes of one item, 8 MiB by default
---@field max_depth integer? of nesting, 512 by default, at most 2048
---@field id string? JSON Pointer, in a record, of the id by which `opening` recognizes it; its JSON text by default
---@field edges boolean? keeps the first and the last record for `edge`
---@field containers boolean? captures arrays and objects, too; not those around the records

--- Finds an array of objects in a stream of bytes and returns each object as a record once its last byte has arrived.
--- Raises if an option is wrong.
---@param options rollcall.DecoderOptions
---@return rollcall.Decoder
function core.decoder(options) end

---@class rollcall.Decoder: userdata
local Decoder = {}

--- Takes bytes, which may end anywhere. An error is of kind "decode", with `code` and `offset`, and is permanent; the
--- records before it can still be taken. A mistake in the last bytes may be found only with those that follow, or by
--- `finish`.
---@param bytes string
---@return true? good
---@return rollcall.Error? err
function Decoder:feed(bytes) end

--- The document ends here.
---@return true? good
---@return rollcall.Error? err
function Decoder:finish() end

--- The next whole record; nil if it needs more bytes; nil and an error.
---@return rollcall.User? record
---@return rollcall.Error? err
function Decoder:next() end

--- The same, with the values of a selection instead of the record, which is not created. They may be nil.
---@param selection rollcall.Selection
---@return true? any true: there was a record
---@return any ... the values or, after nil, the error
function Decoder:values(selection) end

--- A captured value, a scalar unless the decoder has `containers`; core.null for JSON null; nil if there was none
--- (yet). Raises for a pointer that is not among the captures.
---@param pointer string
---@param form "text"|"json"|nil "text": a number, "json": any value, as written in the document
---@return any value
function Decoder:captured(pointer, form) end

--- The number of records so far, taken or not.
---@return integer count
function Decoder:found() end

--- Identifies the first records, by their ids: equal for the same records in the same order.
---@return integer count of these records, 16 at most
---@return string first identifies the first one
---@return string all identifies all of them and their number; never equal to a `first`
---@return integer waiting bytes that wait to be taken
function Decoder:opening() end

--- The value at a pointer in the first or the last record found so far, taken or not; core.null for JSON null; nil if
--- there is none. Objects and arrays are tables. For a decoder with `edges`.
---@param which "first"|"last"
---@param pointer string
---@param form "text"|"json"|nil "text": a number, "json": any value, as written in the document
---@return any value
function Decoder:edge(which, pointer, form) end

--- The document, once `finish` has been called, if it is of at most 16 KiB and had no items: it may explain why. If it
--- has something else in place of the array, the part that had arrived. nil for any other document.
---@return string? text
function Decoder:document() end

--- Frees its memory at once, before it is collected. Closing twice is harmless; any other call raises afterwards.
function Decoder:close() end

--- A type of records: the common field names that they have in addition to their own fields. The table is copied; its
--- values are JSON Pointers, functions of the record, or { constant }.
---@param common table<string, string|(fun(record: rollcall.User): any)|{ [1]: any }>
---@return table type
function core.record_type(common) end

--- Which values `values` returns for each record: one for each rule, as rules of core.record_type. Functions are called
--- with the record, which is created only for them, or if the JSON of all values is more than 1 KiB.
---@param rules (string|(fun(record: rollcall.User): any)|{ [1]: any })[] up to most_values; the list is copied
---@return rollcall.Selection
function core.selection(rules) end

--- The maximum number of values in a selection.
---@type integer
core.most_values = nil

--- The maximum number of steps in a JSON Pointer.
---@type integer
core.most_steps = nil

--- From core.selection; may be used with any number of decoders.
---@class rollcall.Selection: userdata

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

--- On LuaJIT, for its FFI: pointers to C functions that read a field, for rollcall.record_type.
---@type userdata?
core.reader = nil

--- A monotonic clock.
---@return number seconds
function core.now() end

--- The metatable of all error objects.
---@type table
core.error_metatable = nil

---@class rollcall.EngineOptions
---@field turn number? seconds after which Transfer:next returns nil once, so that the loop gets its turn
---@field multiplex boolean? transfers share a connection if the server speaks HTTP/2, true by default. Not for
---  arbitrarily long bodies: what arrives for a paused transfer is then kept in memory

--- Connections, and the transfers on them. Wait for it by core.wait, or by a loop that watches `sockets` and keeps a
--- timer of `timeout`. The same fd under another id is another socket, and an old watch on it is void. After every call
--- of its `action`, `drive` or `request`, or of a method of its transfers, ask for the timeout again, and for the
--- sockets if the second of `counters` has changed.
---@param options rollcall.EngineOptions?
---@return rollcall.Engine
function core.engine(options) end

---@class rollcall.Engine: userdata
local Engine = {}

---@class rollcall.RequestOptions
---@field method string? "GET"
---@field url string
---@field headers string[]? "Name: value"
---@field body string?
---@field ca_file string? PEM file
---@field client_cert string? PEM file
---@field client_key string? PEM file
---@field proxy string? URL; "" for none
---@field connect_timeout number? seconds, 5 by default
---@field idle_timeout number? seconds without a byte, 60 by default
---@field timeout number? seconds for the whole transfer, none by default
---@field max_body integer? bytes, 4 GiB by default
---@field max_headers integer? bytes, 64 KiB by default
---@field max_collected integer? bytes that are kept of a body without a decoder, 1 MiB by default
---@field decoder rollcall.Decoder? is fed a 2xx body
---@field ledger rollcall.Ledger? decides which records are given
---@field watermark integer? bytes of records that may wait, 512 KiB by default
---@field fresh_connection boolean? uses a new connection
---@field ticks boolean? `next` also returns nil every few milliseconds, so that the reader can check its budget

--- Begins a request. Raises if an option is wrong.
---@param options rollcall.RequestOptions
---@return rollcall.Transfer? transfer
---@return rollcall.Error? err
function Engine:request(options) end

--- Does what can be done without waiting.
function Engine:drive() end

--- Makes those that wait for it check again: the first of `counters` grows.
function Engine:notify() end

--- Closes it; running transfers fail. Closing twice is harmless. A finalizer may close it at any time: afterwards
--- `request` returns an error of kind "closed", `counters` nil, `drive` and core.wait do nothing, and the others raise.
function Engine:close() end

--- Two counters that grow: with any news for a walk, and with each change of the sockets. Nil once closed.
---@return integer? activity
---@return integer? sockets
function Engine:counters() end

--- The sockets to watch: fills the list with fd, id and "r", "w" or "rw" of the first socket, then of the next.
---@param list any[] the caller's, may be reused
---@return integer count of sockets
function Engine:sockets(list) end

--- Seconds until `drive` must be called; 0: now; nil: never.
---@return number? seconds
function Engine:timeout() end

--- A socket is ready; after an error or hang-up on it, for both directions.
---@param fd integer
---@param events string with "r" or "w" in it, or both
function Engine:action(fd, events) end

--- Blocks until something has happened on one of the engines since the last such wait, or the time is over.
---@param engines rollcall.Engine[] at most 64
---@param seconds number? an hour by default
function core.wait(engines, seconds) end

---@class rollcall.Transfer: userdata
local Transfer = {}

--- The next record. Nil means that there may be something else to do: no record waits, the ledger allows no more, the
--- last byte has arrived (once), it is the loop's turn, or it is time to check a budget. After one of the last three
--- the next call returns a record, if one waits.
---@return rollcall.User? record
function Transfer:next() end

--- The same, with the values of a selection instead of the record, as Decoder:values returns them.
---@param selection rollcall.Selection
---@return true? any
---@return any ...
function Transfer:values(selection) end

--- Does the body differ from the one its ledger knows?
---@return boolean
function Transfer:conflict() end

--- Does a record wait? `next` returns it, possibly not at the first call.
---@return boolean
function Transfer:waits() end

--- Has it ended, well or not?
---@return boolean
function Transfer:done() end

--- Why the response is incomplete or missing: "network", "timeout", "tls", "too_large", "proxy" (it refuses to tunnel),
--- "bad_encoding" (of a compressed body), "refused" or "no_memory", and a line about it. Nil if nothing failed or the
--- transfer still runs.
---@return string? name
---@return string? line
---@return integer? status of the proxy that refuses
function Transfer:failure() end

--- The HTTP status, once the headers have arrived.
---@return integer?
function Transfer:status() end

--- A header's value; the values of a repeated header are joined by ", ".
---@param name string in any case
---@return string?
function Transfer:header(name) end

--- The response's header lines as received, the status line first; "" before they have arrived.
---@return string
function Transfer:headers() end

--- The collected body.
---@return string body
---@return boolean was_cut
function Transfer:body() end

--- Its cost so far.
---@return integer bytes on the wire
---@return number seconds
function Transfer:usage() end

--- Ends it. The methods above raise afterwards.
function Transfer:cancel() end

---@class rollcall.LedgerOptions
---@field id string JSON Pointer, in a record, of the id by which it is recognized
---@field saved string? the result of `save`

--- Knows which records of a page were given, so that none is given twice if the page is fetched again. Nil if `saved`
--- is damaged.
---@param options rollcall.LedgerOptions
---@return rollcall.Ledger?
function core.ledger(options) end

---@class rollcall.Ledger: userdata
local Ledger = {}

--- A body of the page begins, from its first byte.
function Ledger:begin_body() end

--- The number of records given.
---@return integer
function Ledger:given() end

--- For a body that has ended: is it too short to tell which records were given?
---@return boolean
function Ledger:short() end

--- Sets the number of records that may be given in all.
---@param count integer
function Ledger:allow(count) end

--- Is this record to be given? If so, it counts as given. Nil if that cannot be told.
---@param record rollcall.User
---@return boolean?
function Ledger:take(record) end

--- Its state, as a string for `saved`.
---@param most integer above this number of records a fingerprint stands for them
---@param less_last boolean? the state before the user given last
---@return string
function Ledger:save(most, less_last) end

--- A set of strings.
---@return rollcall.Seen
function core.seen() end

---@class rollcall.Seen: userdata
local Seen = {}

--- Adds a string; false if it is there already.
---@param text string
---@return boolean
function Seen:add(text) end

--- Is the string there?
---@param text string
---@return boolean
function Seen:has(text) end

--- A duplicate of a file descriptor, owned by the caller: a loop that watches it does not watch another file by mistake
--- after libcurl has closed its socket.
---@param fd integer
---@return rollcall.Descriptor? descriptor
---@return string? problem
function core.duplicate(fd) end

---@class rollcall.Descriptor: userdata
local Descriptor = {}

--- Nil once it is closed.
---@return integer?
function Descriptor:number() end

--- Closing twice is harmless.
function Descriptor:close() end

--- Sets the sentinel of JSON null, for a JSON library that has another one.
---@param value any nil: the initial one
function core.set_null(value) end

--- One descriptor that stands for several sockets, for loops: it is readable while one of them is ready, and it belongs
--- to the loop, whereas libcurl may close its sockets. Linux only; elsewhere `core.poller` is nil.
---@return rollcall.Poller? poller
---@return string? problem
function core.poller() end

---@class rollcall.Poller: userdata
local Poller = {}

--- Nil once it is closed.
---@return integer? fd
function Poller:number() end

--- Watches the sockets of a list as Engine:sockets fills it, and no others.
---@param list any[]
---@return true? good
---@return string? problem
function Poller:watch(list) end

--- Closing twice is harmless.
function Poller:close() end

--- Can the running function yield? Not if a C function has called it, nor outside of coroutines. nginx's own table of
--- coroutines does not tell.
---@return boolean
function core.can_yield() end

--- The sentinel of JSON null: the NULL light userdata, which is cjson.null.
---@type lightuserdata
core.null = nil

--- Terminal and signal functions for the command line. Nothing is changed before one is called.
---@type table
core.terminal = {}

--- Is this file descriptor a terminal?
---@param fd integer
---@return boolean
function core.terminal.is_terminal(fd) end

--- The number of columns of the terminal; nil if it is not a terminal or does not say.
---@param fd integer
---@return integer? columns
function core.terminal.columns(fd) end

--- From now on SIGINT, SIGTERM and SIGHUP end a wait and are returned by `caught`; the second one of a kind kills. An
--- ignored signal stays ignored.
function core.terminal.catch() end

--- From now on the signals of `catch` kill again. One that arrived before is still returned by `caught`.
function core.terminal.release() end

--- From now on SIGINT ends the process, whatever the interpreter's handler was.
function core.terminal.default() end

--- From now on a write to a closed pipe, or beyond the file size limit, fails instead of killing the process.
function core.terminal.fail_writes() end

--- Opens /dev/null for those of stdin, stdout and stderr that are closed, so that no socket and no file gets their
--- numbers. Reading or writing them fails, as before.
function core.terminal.occupy() end

--- Replaces this process by another program, with the same files and environment. Returns only on failure.
---@param program string its path
---@param ... string its arguments
---@return nil
---@return string problem
function core.terminal.replace(program, ...) end

--- Truncates an open file; false if it is not a file, such as a pipe.
---@param fd integer
---@param length integer bytes to keep
---@return boolean
function core.terminal.truncate(fd, length) end

--- Creates a file with the text in the folder of `path`, to be renamed to it. Its name is unpredictable. Only its owner
--- may read and write it, and only as far as the owner may with `path`, if that exists.
---@param path string
---@param text string
---@return string? name
---@return string? problem
function core.terminal.beside(path, text) end

--- The signal that arrived (returned once) and the exit status that a shell gives to it; nil for none.
---@return "INT"|"TERM"|"HUP"|nil name
---@return integer? status
function core.terminal.caught() end

return core
