// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
public import EpitopeModel
import Foundation
import ProcessContext

/// Finds what excuses stand for on this machine now: files, control groups, users. What can't be found, or isn't as the
/// excuse says, is excused nothing.
///
/// Asked again and again: it remembers the hashes of files that are as they were, and reads a package's lists only when
/// packages changed.
public struct ExcuseResolver {
    /// Why an excuse excuses nobody now.
    public enum Problem: Hashable, Sendable, CustomStringConvertible {
        case ended(Excuse)
        /// There is no such file, package, unit, container or user.
        case absent(Excuse)
        case otherHash(Excuse, found: String)
        /// Others than root may put another file in its place.
        case replaceable(Excuse)
        /// Control groups have no unified hierarchy here.
        case noGroups(Excuse)
        /// There are more files, groups and users than the kernel program has places for.
        case tooMany(Excuse)

        public var description: String {
            switch self {
            case .ended(let excuse): "the excuse for \(excuse.subject) ended on \(excuse.until)"
            case .absent(let excuse): "the excuse for \(excuse.subject): there is none here"
            case .otherHash(let excuse, let found):
                "the excuse for \(excuse.subject) doesn't hold: the file has the SHA-256 \(found)"
            case .replaceable(let excuse):
                "the excuse for \(excuse.subject) doesn't hold: others than root may replace the file; give its sha256, or mend its rights"
            case .noGroups(let excuse):
                "the excuse for \(excuse.subject) doesn't hold: it needs control groups version 2, mounted"
            case .tooMany(let excuse):
                "the excuse for \(excuse.subject) doesn't hold: more than \(ExcuseResolver.mostParties) files, groups and users are excused"
            }
        }

        /// Nothing that somebody would have to mend: what isn't installed, or doesn't run, needs no excuse.
        public var isAbsence: Bool {
            if case .absent = self { true } else { false }
        }
    }

    /// The most files, groups and users: the kernel program's places for them.
    public static let mostParties = 4096

    private var hashes: [ExcusedParty.FileState: String] = [:]
    private var packages: [String: [String]] = [:]
    private var packagesState: FileStamp?
    /// By what `stat` says of a file: what the kernel calls it.
    private var states: [FileStamp: ExcusedParty.FileState] = [:]

    public init() {}

    /// What excuses stand for now, and those that stand for nobody.
    public mutating func resolve(_ excuses: [Excuse], on day: CalendarDay) -> (table: ExcuseTable, problems: [Problem]) {
        var table = ExcuseTable()
        var problems: [Problem] = []
        if let state = FileStamp(PackageFiles.status), state != packagesState {
            packages = [:]
            packagesState = state
        }
        let groups = ControlGroups()
        for excuse in excuses {
            guard excuse.holds(on: day) else {
                problems.append(.ended(excuse))
                continue
            }
            switch parties(of: excuse, groups) {
            case .failure(let problem): problems.append(problem)
            case .success(let parties):
                guard table.excuses.count + parties.count <= Self.mostParties else {
                    problems.append(.tooMany(excuse))
                    continue
                }
                for party in parties { table.add(excuse, for: party) }
            }
        }
        return (table, problems)
    }

    private enum Found {
        case success([ExcusedParty])
        case failure(Problem)
    }

    private mutating func parties(of excuse: Excuse, _ groups: ControlGroups?) -> Found {
        var found: [ExcusedParty] = []
        switch excuse.subject {
        case .executable(let path, let hash):
            guard let file = file(path) else { return .failure(.absent(excuse)) }
            if let hash {
                let own = self.hash(of: path, file)
                guard own == hash else { return .failure(.otherHash(excuse, found: own ?? "that can't be read")) }
            } else if !Self.onlyRootMayReplace(path) {
                return .failure(.replaceable(excuse))
            }
            found = [.file(file)]
        case .package(let name):
            for path in programs(of: name) where Self.onlyRootMayReplace(path) {
                if let file = file(path) { found.append(.file(file)) }
            }
        case .unit(let name):
            guard let groups else { return .failure(.noGroups(excuse)) }
            found = groups.groups { $0 == name }.map { .group($0) }
        case .container(let id):
            guard let groups else { return .failure(.noGroups(excuse)) }
            found = groups.groups { ContainerID.id($0)?.hasPrefix(id) ?? false }.map { .group($0) }
        case .user(let name):
            if let id = UInt32(name) { found = [.user(id)] } else if let entry = getpwnam(name) { found = [.user(entry.pointee.pw_uid)] }
        }
        return found.isEmpty ? .failure(.absent(excuse)) : .success(found)
    }

    private mutating func file(_ path: String) -> ExcusedParty.FileState? {
        guard let stamp = FileStamp(path) else { return nil }
        if let known = states[stamp] { return known }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard let state = MappedFile.state(descriptor) else { return nil }
        if states.count >= Self.mostParties { states.removeAll() }
        states[stamp] = state
        return state
    }

    private mutating func hash(of path: String, _ expected: ExcusedParty.FileState) -> String? {
        if let known = hashes[expected] { return known }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        // The file that is hashed must be the one that is excused, as it was before and after.
        guard MappedFile.state(descriptor) == expected, let hash = FileHash.sha256(descriptor),
            MappedFile.state(descriptor) == expected
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
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o111 != 0 else { return false }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var magic = [UInt8](repeating: 0, count: 4)
        return pread(descriptor, &magic, 4, 0) == 4 && magic == [0x7F, 0x45, 0x4C, 0x46]
    }

    private static func onlyRootMayReplace(_ path: String) -> Bool {
        guard let real = realpath(path, nil) else { return false }
        defer { free(real) }
        return MappedFile.onlyRootMayReplace(String(cString: real))
    }
}

/// What `stat` says that tells one state of a file from another.
private struct FileStamp: Hashable {
    var device: UInt64
    var inode: UInt64
    var size: Int64
    var changedSeconds: Int
    var changedNanoseconds: Int

    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        changedSeconds = Int(status.st_ctim.tv_sec)
        changedNanoseconds = Int(status.st_ctim.tv_nsec)
    }
}
