// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Glibc

/// Whether a program could listen on an address and port, and why not.
public enum ListeningProbe {
    /// Listens, and ends that at once.
    ///
    /// - Parameter host: a name or an address.
    /// - Returns: `nil`: a program of this user can listen there now.
    public static func failure(host: String, port: Int) -> EpitopeError? {
        var hints = addrinfo()
        (hints.ai_flags, hints.ai_socktype) = (AI_PASSIVE, Int32(SOCK_STREAM.rawValue))
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &found) == 0, let first = found else { return failure(of: host, port, nil) }
        defer { freeaddrinfo(found) }
        let descriptor = socket(first.pointee.ai_family, first.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return failure(of: host, port, errno) }
        defer { close(descriptor) }
        // As the server does: connections that ended lately don't matter.
        var isOn: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0, listen(descriptor, 1) == 0 else {
            return failure(of: host, port, errno)
        }
        return nil
    }

    /// - Parameter code: the system's error number; `nil`: the host's name leads nowhere.
    static func failure(of host: String, _ port: Int, _ code: Int32?) -> EpitopeError {
        switch code {
        case nil:
            return EpitopeError(
                .listeningFailed, "could not listen on \(host) port \(port): the name can't be resolved",
                remedy: "give an address of this machine by --listen, or a name that leads to one")
        case EADDRINUSE:
            return EpitopeError(
                .listeningFailed, "could not listen on \(host) port \(port): the address is already in use",
                remedy: "another program listens there (`ss -ltnp` shows which): end it, or give this center another port by --listen")
        case EADDRNOTAVAIL:
            return EpitopeError(
                .listeningFailed, "could not listen on \(host) port \(port): no interface of this machine has the address",
                remedy: "give an address of this machine by --listen (`ip address` shows them)")
        case EACCES:
            return EpitopeError(
                .listeningFailed, "could not listen on \(host) port \(port): this user may not",
                remedy: "give a port from 1024 up by --listen, or the center the right to listen below (CAP_NET_BIND_SERVICE)")
        case let code?:
            let why = String(cString: strerror(code))
            return EpitopeError(
                .listeningFailed, "could not listen on \(host) port \(port): \(why)",
                remedy: "check the address and port of --listen, and the system's log")
        }
    }
}
