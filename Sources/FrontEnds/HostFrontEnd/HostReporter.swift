// SPDX-License-Identifier: Apache-2.0

package import EpitopeModel
package import HostPipeline
import HostStore
package import Logging
package import ProcessContext
import SecureChannel

/// The host's pipeline with its parts: context collector, store, spool, and a client for each center that packets go to.
///
/// Nothing of it keeps a program from protecting: what can't be used is told (``problems()``), and tried again while the program
/// runs. An enrolment, a mended file or a renewed certificate take effect by themselves.
package struct HostReporter: Sendable {
    package let context: ProcessContextCollector
    private let pipeline: HostPipeline
    private let clients: [(destination: Destination, client: EnrolledClient)]
    private let log: EventLog
    private let book: ProblemBook
    /// The destinations at which this host is not enrolled.
    package let notEnrolled: [String]
    /// The first connection to each center, which is begun with this value: the first packet finds it open.
    private let connecting: [Task<Void, Never>]

    /// The collector for this host, by its name at its centers. Starts no threads. An identity that can't be read is told by
    /// ``problems()``.
    package static func contextCollector(_ stateOptions: HostStateOptions, _ options: PacketOptions) -> ProcessContextCollector {
        let identities = options.sendTo.destinations.lazy.compactMap {
            try? StoredIdentity.loadIfEnrolled(from: stateOptions.identityDirectory($0.rawValue))
        }
        return ProcessContextCollector(hostID: identities.first?.subject.name)
    }

    /// - Parameters:
    ///   - context: a collector that was made before (``contextCollector(_:_:)``), where one is needed before threads are started.
    ///   - book: problems of other parts, to which this adds its own.
    ///   - protection: how calls are judged here, for the centers' lists: a level of the agent, `containers` or `run`.
    ///   - applications: which calls are judged here, asked each time that a center is told.
    ///   - makeObserver: makes what is told of each event of the log, with the addresses of the centers that packets go to.
    package init(
        _ stateOptions: HostStateOptions, _ options: PacketOptions, context: ProcessContextCollector? = nil,
        problems book: ProblemBook = ProblemBook(), protection: String? = nil,
        applications: @escaping @Sendable () -> [BlockingApplication]? = { nil }, logger: Logger,
        makeObserver: (_ centers: [String: String]) -> @Sendable (HostEvent) -> Void = { _ in { _ in } }
    ) {
        let context = context ?? Self.contextCollector(stateOptions, options)
        var centers: [String: String] = [:]
        var notEnrolled: [String] = []
        for destination in options.sendTo.destinations {
            do throws(EpitopeError) {
                let identity = try StoredIdentity.loadIfEnrolled(from: stateOptions.identityDirectory(destination.rawValue))
                centers[destination.rawValue] = identity?.centers.description
                if identity == nil { notEnrolled.append(destination.rawValue) }
            } catch {
                // It may well be enrolled: the client tells of an identity that can't be used.
            }
        }
        self.notEnrolled = notEnrolled
        let log = EventLog(directory: stateOptions.directory, observer: makeObserver(centers)) { [directory = stateOptions.directory] in
            let error = EpitopeError(
                .logUnwritable, "the event log \(directory)/\(EventLog.fileName) can't be written; calls are answered all the same",
                remedy: "see that it is a regular file of this user's, and that its disk has room")
            logger.error("\(error)")
        }
        let store = HostStore(mending: stateOptions.directory, settings: options.storeSettings) { moved in
            let error = EpitopeError(
                .hostStoreDamaged, "the host's store was damaged and is now \(moved); a new one was begun",
                remedy: "packets that waited are in that file; remove it when nobody needs it")
            book.set("store", error)
            log.append(HostEvent(impaired: error))
            logger.error("\(error)")
        }
        let identities = IdentityEvents(log: log, logger: logger, context: context)
        var routes: [Destination: RoutedSender.Route] = [:]
        var clients: [(destination: Destination, client: EnrolledClient)] = []
        var connecting: [Task<Void, Never>] = []
        for destination in options.sendTo.destinations {
            let directory = stateOptions.identityDirectory(destination.rawValue)
            let client = EnrolledClient(
                directory: directory,
                note: { .own(protection: protection, applications: applications().map { BlockingApplication.word($0) }) },
                onEvent: { identities.note($0, destination) })
            clients.append((destination, client))
            // Failures are told by the client, or met by the first packet.
            let connection = Task { await client.lookAfter() }
            connecting.append(connection)
            routes[destination] = .init(
                send: { try await client.send($0) }, report: { try await client.report($0) },
                prepare: { await Self.wait(for: connection) })
        }
        self.connecting = connecting
        self.clients = clients
        self.context = context
        self.log = log
        self.book = book
        pipeline = HostPipeline(
            settings: HostPipelineSettings(
                extractsSignature: options.signatureOnHost, signatureBytes: options.signatureBytes, signature: options.hostSignature,
                extractAt: options.extractAt, destinations: options.sendTo.destinations),
            parameters: context, store: store, sender: RoutedSender(routes), log: log, logger: logger,
            absentWindows: options.goodware.map { HostGoodware(path: $0, problems: book).absentWindows })
        identities.setPipeline(pipeline)
        for problem in book.current { log.append(HostEvent(impaired: problem)) }
    }

    /// Writes an event that is no packet's into the log.
    package func record(_ event: HostEvent) { log.append(event) }

    /// What is said once, at the start, of a host that is not enrolled; `nil` for one that is.
    package var enrolmentNotice: String? {
        guard !notEnrolled.isEmpty else { return nil }
        return "not enrolled at a \(notEnrolled.joined(separator: " or ")) center: calls are judged all the same, and packets wait in the "
            + "spool until this host is enrolled (epitope enroll)"
    }

    /// What became of the reports so far.
    package var tally: ReportTally { pipeline.tally }

    /// What doesn't work now.
    package func problems() async -> [HostProblem] {
        var problems = book.current
        let tally = pipeline.tally
        if tally.notUnique > 0 {
            problems.append(
                HostProblem(
                    "host signature",
                    EpitopeError(
                        .signatureNotUnique,
                        "\(tally.notUnique) signatures since the start end at the caller's address: nothing nearby was known to be unique",
                        remedy:
                            "none is needed: the center proves each signature; processes that end at once, or whose images are gone, can't "
                            + "be compared")))
        }
        if let error = tally.storeFailure { problems.append(HostProblem("store", error)) }
        if log.droppedLines > 0 {
            problems.append(
                HostProblem(
                    "log",
                    EpitopeError(
                        .logUnwritable, "\(log.droppedLines) lines of the event log could not be written since the start",
                        remedy: "see that the state folder's disk has room")))
        }
        for (destination, client) in clients {
            let part = "\(destination.rawValue) center"
            if let fault = await client.fault { problems.append(HostProblem(part, fault)) }
            if let identity = await client.identity, let warning = identity.outlook().warning(of: "the certificate of this host") {
                let error = await client.renewalFailure
                problems.append(
                    HostProblem(
                        part,
                        EpitopeError(
                            error?.code ?? .certificateExpired, warning + (error.map { " (\($0.message))" } ?? ""),
                            remedy: error?.remedy ?? "check this machine's clock, and that the center can be reached")))
            }
        }
        if let error = tally.sendingFailure { problems.append(HostProblem("sending", error)) }
        return problems
    }

    /// Works until the calls end and what can be sent is sent.
    ///
    /// - Parameters:
    ///   - likely: a process that is likely to be in the first report.
    ///   - unreported: the backend's counts of reports that it did not make.
    package func report(
        _ reports: some AsyncSequence<DetectionReport, Never> & Sendable, likely processID: Int32? = nil,
        unreported: @escaping @Sendable () -> UnreportedCounts = { UnreportedCounts() }
    ) async {
        await withTaskGroup(of: Void.self) { group in
            for ((_, client), connection) in zip(clients, connecting) {
                group.addTask {
                    await Self.wait(for: connection)
                    await client.maintain()
                }
            }
            await pipeline.run(reports, likely: processID, unreported: unreported)
            group.cancelAll()
        }
        await shutdown()
    }

    /// Waits until a connection is made or has failed, or the waiting task is cancelled.
    private static func wait(for connection: Task<Void, Never>) async {
        await withTaskCancellationHandler {
            await connection.value
        } onCancel: {
            connection.cancel()
        }
    }

    /// Ends the connections to the centers: ``report(_:unreported:)`` does it at its end, whoever doesn't come to report does it
    /// by this.
    package func shutdown() async {
        for (_, client) in clients { await client.shutdown() }
    }
}

extension EpitopeError.Code {
    /// Lines of the event log could not be written.
    static let logUnwritable = EpitopeError.Code("log-unwritable")
}

extension HostEvent {
    fileprivate init(impaired error: EpitopeError) {
        self.init(.impaired, time: EventLog.now())
        code = error.code.rawValue
        message = error.message
    }

    fileprivate init(impaired problem: HostProblem) {
        self.init(.impaired, time: EventLog.now())
        code = problem.code
        message = problem.message
    }
}
