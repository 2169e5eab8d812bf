// SPDX-License-Identifier: Apache-2.0

package import EpitopeModel
package import ProcessContext
package import HostPipeline
import HostStore
package import Logging
import SecureChannel

/// The host's pipeline with its parts: context collector, store, spool, and a client for each center at which this host is
/// enrolled.
package struct HostReporter {
    package let context: ProcessContextCollector
    private let pipeline: HostPipeline
    private let log: EventLog
    private let clients: [CenterClient]
    private let identityDirectories: [String]
    /// The destinations at which this host is not enrolled.
    package let notEnrolled: [String]
    /// The first connection to each center, which is begun with this value: the first packet finds it open.
    private let connecting: [Task<Void, Never>]

    /// The collector for this host, by its name at its centers. Starts no threads.
    ///
    /// - Throws: the errors of `StoredIdentity` for an identity that can't be read.
    package static func contextCollector(_ stateOptions: HostStateOptions, _ options: PacketOptions) throws -> ProcessContextCollector {
        for destination in options.sendTo.destinations {
            if let identity = try StoredIdentity.loadIfEnrolled(from: stateOptions.identityDirectory(destination.rawValue)) {
                return ProcessContextCollector(hostID: identity.subject.name)
            }
        }
        return ProcessContextCollector(hostID: nil)
    }

    /// - Parameter context: a collector that was made before (``contextCollector(_:_:)``), where one is needed before threads are
    ///   started.
    /// - Parameter makeObserver: makes what is told of each event of the log, with the addresses of the centers that packets go to.
    /// - Throws: the errors of `StoredIdentity`, `CenterClient` and `HostStore`.
    package init(
        _ stateOptions: HostStateOptions, _ options: PacketOptions, context: ProcessContextCollector? = nil, logger: Logger,
        makeObserver: (_ centers: [String: String]) -> @Sendable (HostEvent) -> Void = { _ in { _ in } }
    ) throws {
        // Whatever can fail comes first: clients that were made must be shut down.
        let context = try context ?? Self.contextCollector(stateOptions, options)
        let store = try HostStore(directory: stateOptions.directory, settings: options.storeSettings)
        var routes: [Destination: RoutedSender.Route] = [:]
        var clients: [CenterClient] = []
        var directories: [String] = []
        var centers: [String: String] = [:]
        var notEnrolled: [String] = []
        var connecting: [Task<Void, Never>] = []
        for destination in options.sendTo.destinations {
            let directory = stateOptions.identityDirectory(destination.rawValue)
            guard let identity = try StoredIdentity.loadIfEnrolled(from: directory) else {
                notEnrolled.append(destination.rawValue)
                continue
            }
            let client = try CenterClient(identity)
            clients.append(client)
            directories.append(directory)
            centers[destination.rawValue] = identity.center.description
            // Failures are ignored: the first packet meets them.
            let connection = Task { _ = try? await client.warmUp() }
            connecting.append(connection)
            routes[destination] = .init(send: { try await client.send($0) }, prepare: { await Self.wait(for: connection) })
        }
        self.connecting = connecting
        self.clients = clients
        identityDirectories = directories
        self.notEnrolled = notEnrolled
        self.context = context
        log = EventLog(directory: stateOptions.directory, observer: makeObserver(centers))
        pipeline = HostPipeline(
            settings: HostPipelineSettings(
                extractsSignature: options.signatureOnHost, destinations: options.sendTo.destinations),
            parameters: context,
            store: store,
            sender: RoutedSender(routes), log: log, logger: logger)
    }

    /// Writes an event that is no packet's into the log.
    package func record(_ event: HostEvent) { log.append(event) }

    /// What is said once, at the start, of a host that is not enrolled; `nil` for one that is.
    package var enrolmentNotice: String? {
        guard !notEnrolled.isEmpty else { return nil }
        return "not enrolled at a \(notEnrolled.joined(separator: " or ")) center: calls are judged all the same, and packets wait in the "
            + "spool until this host is enrolled (epitope enroll)"
    }

    /// Works until the calls end and what can be sent is sent.
    ///
    /// - Parameter likely: a process that is likely to be in the first report.
    package func report(_ reports: some AsyncSequence<DetectionReport, Never> & Sendable, likely processID: Int32? = nil) async {
        await withTaskGroup(of: Void.self) { group in
            for (client, connection) in zip(clients, connecting) {
                group.addTask {
                    await Self.wait(for: connection)
                    await client.keepWarm()
                }
            }
            for (client, directory) in zip(clients, identityDirectories) {
                group.addTask { _ = try? await client.renewIfDue(storingIn: directory) }
            }
            await pipeline.run(reports, likely: processID)
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

    /// Ends the connections to the centers: ``report(_:)`` does it at its end, whoever doesn't come to report does it by this.
    package func shutdown() async {
        for connection in connecting { connection.cancel() }
        for client in clients { await client.shutdown() }
    }
}
