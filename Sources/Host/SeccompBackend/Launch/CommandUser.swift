// SPDX-License-Identifier: Apache-2.0

import CSeccomp
public import EpitopeModel
import Glibc

/// The user that a command runs as, with its groups.
public struct CommandUser: Hashable, Sendable {
    public var name: String
    public var user: UInt32
    public var group: UInt32
    public var groups: [UInt32]
    public var home: String
    public var shell: String

    /// How many groups a user may be in (NGROUPS_MAX of linux/limits.h).
    private static let maxGroups = 65536

    /// Looks a user up by name or number.
    ///
    /// - Throws: `user-unknown`.
    public init(_ name: String) throws(EpitopeError) {
        guard let entry = getpwnam(name) ?? UInt32(name).flatMap({ getpwuid($0) }) else {
            throw EpitopeError(
                .userUnknown, "there is no user '\(name)' on this machine", remedy: "name a user of /etc/passwd, or a number of one")
        }
        let found = entry.pointee
        self.name = String(cString: found.pw_name)
        (user, group) = (found.pw_uid, found.pw_gid)
        (home, shell) = (String(cString: found.pw_dir), String(cString: found.pw_shell))
        var count: Int32 = 64
        var groups = [gid_t](repeating: 0, count: Int(count))
        while getgrouplist(self.name, group, &groups, &count) < 0, Int(count) > groups.count, Int(count) <= Self.maxGroups {
            groups = [gid_t](repeating: 0, count: Int(count))
        }
        self.groups = Array(groups.prefix(Int(max(0, count))))
    }

    /// An environment with this user's HOME, USER, LOGNAME and SHELL in the place of another's.
    func environment(from entries: [String]) -> [String] {
        let own = [("HOME", home), ("USER", name), ("LOGNAME", name), ("SHELL", shell)]
        return entries.filter { entry in !own.contains { entry.hasPrefix("\($0.0)=") } } + own.map { "\($0.0)=\($0.1)" }
    }

    static func withPointer<Result>(to user: CommandUser?, _ body: (UnsafePointer<epitope_user>?) -> Result) -> Result {
        guard let user else { return body(nil) }
        return user.groups.withUnsafeBufferPointer { groups in
            var value = epitope_user(user: user.user, group: user.group, groups: groups.baseAddress, group_count: groups.count)
            return body(&value)
        }
    }
}
