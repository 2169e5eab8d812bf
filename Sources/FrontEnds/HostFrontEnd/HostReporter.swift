// SPDX-License-Identifier: Apache-2.0

package import EpitopeModel
package import ProcessContext
import HostPipeline
import HostStore
package import Logging
import SecureChannel

/// The host's pipeline, wired: parameters, store, spool, and a client for each center that this host is enrolled at.
package struct HostReporter {
    package let parameters: ProcessContextCollector
    private let pipeline: HostPipeline
    private let clients: [CenterClient]
    private let identityDirectories: [String]

    /// What is read of a process, by the name that this host has at its centers. Starts nothing.
    package static func parameters(_ stateOptions: HostStateOptions, _ options: PacketOptions) throws -> ProcessContextCollector {
        for destination in options.sendTo.destinations {
            if let identity = try StoredIdentity.loadIfEnrolled(from: stateOptions.identityDirectory(destination.rawValue)) {
                return ProcessContextCollector(hostID: identity.identity.name)
            }
        }
        return ProcessContextCollector(hostID: nil)
    }

    /// - Parameter parameters: of ``parameters(_:_:)``, where they are needed before threads are started.
    package init(_ stateOptions: HostStateOptions, _ options: PacketOptions, parameters: ProcessContextCollector? = nil, logger: Logger)
        throws
    {
        var routes: [Destination: RoutedSender.Route] = [:]
        var clients: [CenterClient] = []
        var directories: [String] = []
        for destination in options.sendTo.destinations {
            let directory = stateOptions.identityDirectory(destination.rawValue)
            guard let identity = try StoredIdentity.loadIfEnrolled(from: directory) else {
                logger.info(
                    "not enrolled at a \(destination.rawValue) center: packets for it wait in the spool (epitope enroll)")
                continue
            }
            let client = try CenterClient(identity)
            clients.append(client)
            directories.append(directory)
            routes[destination] = .init(
                send: { try await client.send($0) }, prepare: { try? await client.warmUp() })
        }
        self.clients = clients
        identityDirectories = directories
        let parameters = try parameters ?? Self.parameters(stateOptions, options)
        self.parameters = parameters
        pipeline = HostPipeline(
            settings: HostPipelineSettings(
                extractsSignature: options.signatureOnHost, destinations: options.sendTo.destinations),
            parameters: parameters,
            store: try HostStore(directory: stateOptions.directory, settings: options.storeSettings),
            sender: RoutedSender(routes), log: EventLog(directory: stateOptions.directory), logger: logger)
    }

    /// Works until the calls end and what can be sent is sent.
    package func report(_ reports: some AsyncSequence<DetectionReport, Never> & Sendable) async {
        await withTaskGroup(of: Void.self) { group in
            for (client, directory) in zip(clients, identityDirectories) {
                group.addTask { await client.keepWarm() }
                group.addTask { _ = try? await client.renewIfDue(storingIn: directory) }
            }
            await pipeline.run(reports)
            group.cancelAll()
        }
        for client in clients { await client.shutdown() }
    }
}
