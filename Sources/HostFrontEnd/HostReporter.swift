package import EpitopeModel
package import HostParameters
import HostPipeline
import HostStore
package import Logging
import SecureChannel

/// The host's pipeline, wired: parameters, store, spool, and a client for each center that this host is enrolled at.
package struct HostReporter {
    package let parameters: HostParameters
    private let pipeline: HostPipeline
    private let clients: [CenterClient]
    private let identityDirectories: [String]

    package init(_ stateOptions: HostStateOptions, _ options: PacketOptions, logger: Logger) throws {
        var routes: [Destination: RoutedSender.Route] = [:]
        var clients: [CenterClient] = []
        var directories: [String] = []
        var hostID: String?
        for destination in options.sendTo.destinations {
            let directory = stateOptions.identityDirectory(destination.rawValue)
            guard let identity = try StoredIdentity.loadIfEnrolled(from: directory) else {
                logger.info(
                    "not enrolled at a \(destination.rawValue) center: packets for it wait in the spool (epitope enroll)")
                continue
            }
            let client = try CenterClient(identity)
            hostID = hostID ?? identity.identity.name
            clients.append(client)
            directories.append(directory)
            routes[destination] = .init(
                send: { try await client.send($0) }, prepare: { try? await client.warmUp() })
        }
        self.clients = clients
        identityDirectories = directories
        parameters = HostParameters(hostID: hostID)
        pipeline = HostPipeline(
            settings: HostPipelineSettings(
                extractsSignature: options.signatureOnHost, destinations: options.sendTo.destinations),
            parameters: parameters,
            store: try HostStore(directory: stateOptions.directory, settings: options.storeSettings),
            sender: RoutedSender(routes), log: EventLog(directory: stateOptions.directory), logger: logger)
    }

    /// Works until the calls end and what can be sent is sent.
    package func report(_ calls: AsyncStream<StalledCall>) async {
        await withTaskGroup(of: Void.self) { group in
            for (client, directory) in zip(clients, identityDirectories) {
                group.addTask { await client.keepWarm() }
                group.addTask { _ = try? await client.renewIfDue(storingIn: directory) }
            }
            await pipeline.run(calls)
            group.cancelAll()
        }
        for client in clients { await client.shutdown() }
    }
}
