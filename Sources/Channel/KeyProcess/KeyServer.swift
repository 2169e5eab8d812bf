// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Glibc
import SecureChannel

/// The process that has an authority's key: it answers a center's orders, on one thread, and does nothing else. It has no file, no
/// network and no other process within its reach.
public enum KeyServer {
    /// A center has one connection; a few more are those of a center that was just replaced.
    private static let maxConnections = 8

    /// Reads the keys, gives up every right that signing doesn't need, and serves until the process is ended; it ends by itself when the
    /// keys' folder has changed, for what started it to start it again.
    ///
    /// Call this while there is one thread.
    ///
    /// - Parameters:
    ///   - listener: a listening socket of the kind that ``KeyClient`` connects to.
    ///   - directory: the key's folder.
    ///   - connection: one that is there already; where there is no listening socket (-1), it ends with that one.
    ///   - purpose: what it signs.
    ///   - onReady: called once it serves.
    ///   - log: takes a line for each certificate that is signed or refused.
    /// - Throws: `authority-missing` and what else keeps the key from being used; `key-not-confined`.
    public static func run(
        listener: Int32, connection: Int32? = nil, keyDirectory directory: String, bounds: SigningBounds,
        purpose: SigningPurpose = .certificates,
        onReady: () -> Void = {},
        log: @escaping (String) -> Void
    ) throws(EpitopeError) -> Never {
        // Before it is read: what is changed from then on is seen.
        let changes = FolderChanges(of: directory)
        let keys = try AuthorityKeys.load(from: directory)
        var service = KeyService(keys, bounds, for: purpose, log: log)
        // What the libraries read at their first use (time zones, random numbers) can't be read later.
        service.rehearse()
        let means = try KeyConfinement.enter()
        let next = keys.next.map { ", and of the next, \($0)" } ?? ""
        log("has the key of \(keys.current)\(next), and no other right: \(means)")
        onReady()
        serve(listener, connection, changes, &service)
        log("ends, for the key's folder has changed: whoever starts it again has it read the new keys")
        exit(0)
    }

    /// Returns when the key's folder has changed: no file can be read any more.
    private static func serve(_ listener: Int32, _ connection: Int32?, _ changes: FolderChanges?, _ service: inout KeyService) {
        var connections = connection.map { [$0] } ?? []
        while true {
            if listener < 0, connections.isEmpty { exit(0) }
            // A negative number is of no file, and passed over.
            var polled = ([listener, changes?.descriptor ?? -1] + connections).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            guard poll(&polled, nfds_t(polled.count), -1) >= 0 else { continue }
            for connection in polled.dropFirst(2) where connection.revents != 0 {
                guard !answer(connection.fd, &service) else { continue }
                close(connection.fd)
                connections.removeAll { $0 == connection.fd }
            }
            guard polled[1].revents == 0 else { return }
            guard polled[0].revents != 0 else { continue }
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { continue }
            // Who doesn't take an answer keeps nobody waiting.
            var longest = timeval(tv_sec: 1, tv_usec: 0)
            setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &longest, socklen_t(MemoryLayout<timeval>.size))
            connections.append(connection)
            if connections.count > maxConnections { close(connections.removeFirst()) }
        }
    }

    /// - Returns: whether the connection goes on.
    private static func answer(_ connection: Int32, _ service: inout KeyService) -> Bool {
        do throws(KeySocket.SystemFailure) {
            guard let message = try KeySocket.receive(over: connection) else { return false }
            var time = timespec()
            // Counts while the machine sleeps, too.
            clock_gettime(CLOCK_BOOTTIME, &time)
            guard
                let answer = service.answer(
                    message, nowMilliseconds: ChannelClock.system(),
                    time: .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec))
            else { return false }
            try KeySocket.send(answer, over: connection)
            return true
        } catch {
            return false
        }
    }
}
