// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import FileAccess
import Foundation
import ProcessContext

/// Finds what exclusions stand for on this machine now: files, control groups, users. What can't be found, or isn't as the
/// exclusion says, is excluded nothing.
///
/// Asked again and again: it remembers the hashes of files that are as they were, and reads a package's lists only when
/// packages changed.
public struct ExclusionResolver {
    /// Why an exclusion exclusions nobody now.
    public enum Problem: Hashable, Sendable, CustomStringConvertible {
        case ended(Exclusion)
        /// There is no such file, package, unit, container or user.
        case absent(Exclusion)
        case otherHash(Exclusion, found: String)
        /// Others than root may put another file in its place.
        case replaceable(Exclusion)
        /// Control groups have no unified hierarchy here.
        case noGroups(Exclusion)
        /// There are more files, groups and users than the kernel program has places for.
        case tooMany(Exclusion)

        public var description: String {
            switch self {
            case .ended(let exclusion): "the exclusion for \(exclusion.subject) ended on \(exclusion.until)"
            case .absent(let exclusion): "the exclusion for \(exclusion.subject): there is none here"
            case .otherHash(let exclusion, let found):
                "the exclusion for \(exclusion.subject) doesn't hold: the file has the SHA-256 \(found)"
            case .replaceable(let exclusion):
                "the exclusion for \(exclusion.subject) doesn't hold: others than root may replace the file; give its sha256, or mend its rights"
            case .noGroups(let exclusion):
                "the exclusion for \(exclusion.subject) doesn't hold: it needs control groups version 2, mounted"
            case .tooMany(let exclusion):
                "the exclusion for \(exclusion.subject) doesn't hold: more than \(ExclusionResolver.mostParties) files, groups and users are excluded"
            }
        }

        /// Nothing that somebody would have to mend: what isn't installed, or doesn't run, needs no exclusion.
        public var isAbsence: Bool {
            if case .absent = self { true } else { false }
        }
    }

    /// The most files, groups and users: the kernel program's places for them.
    public static let mostParties = 4096

    private var hashes: [ExclusionTarget.FileState: String] = [:]
    private var packages: [String: [String]] = [:]
    private var packagesState: FileIdentity?
    /// By what `stat` says of a file: what the kernel calls it.
    private var states: [FileIdentity: ExclusionTarget.FileState] = [:]

    public init() {}

    /// What exclusions stand for now, and those that stand for nobody.
    public mutating func resolve(_ exclusions: [Exclusion], on day: CalendarDay) -> (table: ExclusionTable, problems: [Problem]) {
        var table = ExclusionTable()
        var problems: [Problem] = []
        if let state = FileIdentity(path: PackageFiles.status), state != packagesState {
            packages = [:]
            packagesState = state
        }
        let groups = ControlGroups()
        for exclusion in exclusions {
            guard exclusion.holds(on: day) else {
                problems.append(.ended(exclusion))
                continue
            }
            switch parties(of: exclusion, groups) {
            case .failure(let problem): problems.append(problem)
            case .success(let parties):
                guard table.exclusions.count + parties.count <= Self.mostParties else {
                    problems.append(.tooMany(exclusion))
                    continue
                }
                for party in parties { table.add(exclusion, for: party) }
            }
        }
        return (table, problems)
    }

    private enum Found {
        case success([ExclusionTarget])
        case failure(Problem)
    }

    private mutating func parties(of exclusion: Exclusion, _ groups: ControlGroups?) -> Found {
        var found: [ExclusionTarget] = []
        switch exclusion.subject {
        case .executable(let path, let hash):
            guard let file = file(path) else { return .failure(.absent(exclusion)) }
            if let hash {
                let own = self.hash(of: path, file)
                guard own == hash else { return .failure(.otherHash(exclusion, found: own ?? "that can't be read")) }
            } else if !Self.onlyRootMayReplace(path) {
                return .failure(.replaceable(exclusion))
            }
            found = [.file(file)]
        case .package(let name):
            for path in programs(of: name) where Self.onlyRootMayReplace(path) {
                if let file = file(path) { found.append(.file(file)) }
            }
        case .unit(let name):
            guard let groups else { return .failure(.noGroups(exclusion)) }
            found = groups.groups { $0 == name }.map { .group($0) }
        case .container(let id):
            guard let groups else { return .failure(.noGroups(exclusion)) }
            found = groups.groups { ContainerID.id($0)?.hasPrefix(id) ?? false }.map { .group($0) }
        case .user(let name):
            if let id = UInt32(name) { found = [.user(id)] } else if let entry = getpwnam(name) { found = [.user(entry.pointee.pw_uid)] }
        }
        return found.isEmpty ? .failure(.absent(exclusion)) : .success(found)
    }

    private mutating func file(_ path: String) -> ExclusionTarget.FileState? {
        guard let identity = FileIdentity(path: path) else { return nil }
        if let known = states[identity] { return known }
        guard let file = try? FileDescriptor(path, O_RDONLY | O_NONBLOCK), let state = ExclusionTarget.FileState(file) else { return nil }
        if states.count >= Self.mostParties { states.removeAll() }
        states[identity] = state
        return state
    }

    private mutating func hash(of path: String, _ expected: ExclusionTarget.FileState) -> String? {
        if let known = hashes[expected] { return known }
        // The file that is hashed must be the one that is excluded, as it was before and after.
        guard let file = try? FileDescriptor(path, O_RDONLY | O_NONBLOCK), ExclusionTarget.FileState(file) == expected,
            let hash = FileHash.sha256(file.number), ExclusionTarget.FileState(file) == expected
        else { return nil }
        if hashes.count >= Self.mostParties { hashes.removeAll() }
        hashes[expected] = hash
        return hash
    }

    /// The files of a package that are programs.
    private mutating func programs(of package: String) -> [String] {
        if let known = packages[package] { return known }
        let programs = (PackageFiles.files(of: package) ?? []).filter(Self.isProgram)
        packages[package] = programs
        return programs
    }

    /// An executable ELF file: what a process's image can be.
    private static func isProgram(_ path: String) -> Bool {
        guard let status = try? FileStatus(path: path), status.kind == .regular, status.permissions & 0o111 != 0,
            let file = try? FileDescriptor(path, O_RDONLY | O_NONBLOCK)
        else { return false }
        return (try? DescriptorIO.bytes(file.number, at: 0, count: 4)) == [0x7F, 0x45, 0x4C, 0x46]
    }

    /// Whether the file, all folders on the way to it, and the links among them are root's, and nobody else may write them: not
    /// even a sticky folder may be among them.
    private static func onlyRootMayReplace(_ path: String) -> Bool {
        (try? TrustedFile(path, PathTrust(followsLinks: true, allowsSticky: false))) != nil
    }
}
