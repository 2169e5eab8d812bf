// SPDX-License-Identifier: Apache-2.0

import CPostgres
import EpitopeModel
import Glibc

/// A connection to a server: one thread at a time may use it.
public final class PostgresConnection {
    /// How long the server may take.
    struct Limits: Sendable {
        /// To let a client in, for each of its addresses, in seconds.
        var connectSeconds = 3
        /// For a statement; the server ends it then.
        var statement = Duration.seconds(60)
        /// For a lock.
        var lock = Duration.seconds(15)
        /// A transaction whose client is silent for so long is ended, and its locks with it: a machine that is frozen keeps nobody
        /// from writing for longer.
        var silence = Duration.seconds(10)
        /// For a commit, which may wait for a standby.
        var commit = Duration.seconds(20)
        /// Beyond what the server is given, until it counts as frozen.
        var grace = Duration.seconds(5)
    }

    /// Values of `ExecStatusType` and field names (`PG_DIAG_...`) of libpq.
    private enum Library {
        static let commandDone: Int32 = 1
        static let hasRows: Int32 = 2
        static let sqlState = Int32(UInt8(ascii: "C"))
        static let message = Int32(UInt8(ascii: "M"))
        static let severity = Int32(UInt8(ascii: "V"))
        static let binary: Int32 = 1
        static let sending: Int32 = 1
        static let broken: Int32 = 4
    }

    private let library: epitope_libpq
    private let handle: OpaquePointer
    private let limits: Limits
    private let notices = Notices()
    /// The names of prepared statements by their text, as it was given.
    private var prepared: [String: String] = [:]
    private var preparedCount = 0
    /// The statements of the store are some two hundred.
    private static let maxPrepared = 1000
    private(set) var isBroken = false
    /// How many rows the last statement inserted, changed or deleted.
    public private(set) var changes = 0
    /// The same of all statements that change rows.
    public private(set) var allChanges = 0

    /// What the server said beside its answers.
    private final class Notices {
        var warnings: [String] = []
    }

    /// Connects to the first server of the connection string that lets it in and can be written.
    ///
    /// - Parameter string: as libpq takes it: `host=a,b dbname=epitope` or `postgresql://...`; what it doesn't say comes from the
    ///   environment and the files that libpq reads.
    init(_ string: String, limits: Limits, application: String) throws(PostgresFailure) {
        guard let found = epitope_libpq() else { throw .libraryMissing }
        library = found.pointee
        self.limits = limits
        // What the string says itself comes last, and holds.
        let settings = [
            ("target_session_attrs", "read-write"), ("connect_timeout", "\(limits.connectSeconds)"), ("client_encoding", "UTF8"),
            ("keepalives_idle", "5"), ("keepalives_interval", "2"), ("keepalives_count", "3"), ("tcp_user_timeout", "10000"),
            ("application_name", application), ("dbname", string),
        ]
        let connected: OpaquePointer? = Self.withCStrings(settings.map(\.0)) { names in
            Self.withCStrings(settings.map(\.1)) { values in found.pointee.connect(names, values, 1) }
        }
        guard let connected else { throw .other(PostgresOutOfMemory()) }
        handle = connected
        guard library.status(handle) == 0 else {
            throw .unreachable(message: Self.text(library.error_message(handle)))
        }
        _ = library.set_nonblocking(handle, 1)
        _ = library.set_notice_receiver(
            handle,
            { context, notice in
                guard let context, let library = epitope_libpq()?.pointee, let severity = library.error_field(notice, Library.severity),
                    strcmp(severity, "WARNING") == 0
                else { return }
                let notices = Unmanaged<Notices>.fromOpaque(context).takeUnretainedValue()
                notices.warnings.append(PostgresConnection.text(library.error_field(notice, Library.message)))
            }, Unmanaged.passUnretained(notices).toOpaque())
        try prepareSession()
    }

    /// Also after an initializer that throws.
    deinit { if !isClosed { library.finish(handle) } }

    private var isClosed = false

    /// Ends the connection at once. What it had begun is rolled back by the server.
    func close() {
        guard !isClosed else { return }
        (isBroken, isClosed) = (true, true)
        library.finish(handle)
    }

    private func prepareSession() throws(PostgresFailure) {
        guard library.server_version(handle) >= Self.leastVersion else {
            throw .refused(message: "the server is older than PostgreSQL 15")
        }
        try run(
            """
            SET statement_timeout = \(limits.statement.inMilliseconds); SET lock_timeout = \(limits.lock.inMilliseconds);
            SET idle_in_transaction_session_timeout = \(limits.silence.inMilliseconds);
            SET tcp_user_timeout = \(2 * limits.silence.inMilliseconds);
            SET jit = off; SET search_path = epitope, pg_catalog; SET standard_conforming_strings = on;
            SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') <> 'remote_apply'
            """)
        // Whatever the string allows: nothing is decided by what a standby says, which may be behind.
        guard try integer("SELECT pg_is_in_recovery()") == 0 else { throw .notPrimary(message: "the server is a standby") }
    }

    private static let leastVersion: Int32 = 150000
}

// MARK: Statements

extension PostgresConnection {
    /// Runs statements without arguments, separated by semicolons, whose rows nobody wants.
    public func run(_ sql: String) throws(PostgresFailure) {
        try send { library.send_query(handle, sql) }
        for result in try results(within: limits.statement) { note(result) }
    }

    /// Runs one statement, which is prepared when it comes for the first time.
    ///
    /// - Parameter sql: as SQLite reads it: arguments are `?` or `?1`.
    @discardableResult
    public func execute(_ sql: String, _ arguments: [PostgresValue] = []) throws(PostgresFailure) -> PostgresResult {
        let name = try name(of: sql)
        let encoded = EncodedArguments(arguments)
        try send {
            encoded.buffer.withUnsafeBytes { bytes in
                let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
                let values = encoded.starts.map { start in start.flatMap { start in base.map { $0 + start } } }
                return library.send_prepared(
                    handle, name, Int32(values.count), values, encoded.lengths, encoded.formats, Library.binary)
            }
        }
        guard let result = try results(within: limits.statement).last else { throw lost("the server gave no answer") }
        note(result)
        return result
    }

    private func note(_ result: PostgresResult) {
        changes = result.changes
        if ["INSERT", "UPDATE", "DELETE"].contains(where: { result.commandStatus.hasPrefix($0) }) { allChanges += changes }
    }

    /// The first column of the first row, if it is a number.
    func integer(_ sql: String, _ arguments: [PostgresValue] = []) throws(PostgresFailure) -> Int64? {
        let result = try execute(sql, arguments)
        guard result.rowCount > 0, case .integer(let number) = try result.value(0, 0) else { return nil }
        return number
    }

    private func name(of sql: String) throws(PostgresFailure) -> String {
        if let name = prepared[sql] { return name }
        if prepared.count >= Self.maxPrepared {
            try run("DEALLOCATE ALL")
            prepared = [:]
        }
        preparedCount += 1
        let name = "s\(preparedCount)"
        let text = Placeholders.numbered(sql)
        try send { library.send_prepare(handle, name, text, 0, nil) }
        _ = try results(within: limits.statement)
        prepared[sql] = name
        return name
    }

    private func send(_ body: () -> Int32) throws(PostgresFailure) {
        guard !isBroken else { throw .unreachable(message: "the connection was closed") }
        guard body() == 1 else { throw lost(Self.text(library.error_message(handle))) }
    }

    /// Waits for all answers to what was sent.
    private func results(within time: Duration) throws(PostgresFailure) -> [PostgresResult] {
        let patience = time + limits.grace
        let deadline = ContinuousClock.now + patience
        var results: [PostgresResult] = []
        var failure: PostgresFailure?
        var isLost = false
        while true {
            let sending = library.flush(handle)
            guard sending >= 0 else { throw lost(failure?.description ?? Self.text(library.error_message(handle))) }
            if sending == 0, library.is_busy(handle) == 0 {
                guard let result = library.get_result(handle) else { break }
                let status = library.result_status(result)
                if status == Library.commandDone || status == Library.hasRows {
                    results.append(PostgresResult(result, library))
                } else {
                    let (why, isLast) = Self.failure(of: result, library)
                    failure = failure ?? why
                    isLost = isLost || isLast
                    library.clear(result)
                }
                continue
            }
            try waitForServer(isSending: sending == Library.sending, until: deadline, of: patience)
        }
        if isLost || library.transaction_status(handle) == Library.broken {
            throw lost(failure?.description ?? "the connection broke")
        }
        if let failure { throw failure }
        return results
    }

    private func waitForServer(
        isSending: Bool, until deadline: ContinuousClock.Instant, of patience: Duration
    ) throws(PostgresFailure) {
        let left = deadline - .now
        guard left > .zero else { throw lost("no answer within \(patience)") }
        var waiting = pollfd(fd: library.socket(handle), events: Int16(POLLIN) | (isSending ? Int16(POLLOUT) : 0), revents: 0)
        let ready = poll(&waiting, 1, Int32(min(left.inMilliseconds + 1, 60_000)))
        if ready < 0, errno != EINTR { throw lost("poll: \(String(cString: strerror(errno)))") }
        guard ready > 0 else { return }
        if library.consume_input(handle) == 0 {
            // What the server said before it hung up is there to be read.
            guard library.is_busy(handle) == 0 else { throw lost(Self.text(library.error_message(handle))) }
        }
    }

    private func lost(_ message: String) -> PostgresFailure {
        close()
        return .unreachable(message: message)
    }

    /// - Returns: with whether it is the connection's end: what is libpq's own, and what ends the server's process.
    private static func failure(of result: OpaquePointer, _ library: epitope_libpq) -> (PostgresFailure, isLast: Bool) {
        let message = text(library.error_field(result, Library.message))
        guard let state = library.error_field(result, Library.sqlState) else { return (.unreachable(message: message), true) }
        let severity = text(library.error_field(result, Library.severity))
        return (PostgresFailure(sqlState: String(cString: state), message: message), severity == "FATAL" || severity == "PANIC")
    }
}

// MARK: Transactions

extension PostgresConnection {
    /// Runs a transaction. Where the body throws, nothing of it is kept.
    ///
    /// - Parameter begin: the statements that begin it.
    func transaction<Value>(_ begin: String, _ body: (PostgresConnection) throws -> Value) throws -> Value {
        let value: Value
        do {
            // Its statements are several: where a later one fails, as a lock that isn't to be had, the transaction has begun.
            try run(begin)
            value = try body(self)
        } catch {
            if !isBroken { do { try run("ROLLBACK") } catch { close() } }
            throw error
        }
        try commit()
        return value
    }

    /// - Throws: `outcomeUnknown` unless the server says that it is committed, as its settings ask for, or that it is not.
    private func commit() throws(PostgresFailure) {
        notices.warnings = []
        let status: String
        do throws(PostgresFailure) {
            try send { library.send_query(handle, "COMMIT") }
            status = try commandStatus(within: limits.commit)
        } catch {
            if isBroken { throw .outcomeUnknown(message: error.description) }
            throw error
        }
        // A server that gives up waiting for its standby commits, and says so by a warning.
        if let warning = notices.warnings.first {
            close()
            throw .outcomeUnknown(message: warning)
        }
        // A transaction in which a statement failed is rolled back by COMMIT, which succeeds.
        guard status == "COMMIT" else { throw .failed(message: "the transaction was rolled back", sqlState: "25P02") }
    }

    private func commandStatus(within time: Duration) throws(PostgresFailure) -> String {
        guard let result = try results(within: time).last else { throw lost("the server gave no answer") }
        return result.commandStatus
    }
}

// MARK: Notifications

extension PostgresConnection {
    /// Waits for notifications, for so long at most.
    ///
    /// - Returns: their payloads.
    func notifications(within time: Duration) throws(PostgresFailure) -> [String] {
        var payloads: [String] = []
        let deadline = ContinuousClock.now + time
        while true {
            while let notification = library.notifies(handle) {
                payloads.append(Self.text(notification.pointee.payload))
                library.free_memory(notification)
            }
            guard payloads.isEmpty, deadline > .now else { return payloads }
            var waiting = pollfd(fd: library.socket(handle), events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, Int32(min(max(0, (deadline - .now).inMilliseconds + 1), 60_000)))
            if ready < 0, errno != EINTR { throw lost("poll: \(String(cString: strerror(errno)))") }
            if ready > 0, library.consume_input(handle) == 0 { throw lost(Self.text(library.error_message(handle))) }
        }
    }
}

extension PostgresConnection {
    private static func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
        guard let pointer else { return "no detail" }
        return String(cString: pointer).split(whereSeparator: \.isNewline).joined(separator: "; ")
    }

    private static func withCStrings<Value>(
        _ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value
    ) -> Value {
        let copies = strings.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        return (copies.map { UnsafePointer<CChar>($0) } + [nil]).withUnsafeBufferPointer { pointers in
            // It has the closing null pointer at least.
            guard let base = pointers.baseAddress else { preconditionFailure("an array of one element has an address") }
            return body(base)
        }
    }
}

/// libpq has no memory for a connection.
private struct PostgresOutOfMemory: Error, CustomStringConvertible {
    var description: String { "libpq has no memory left" }
}
