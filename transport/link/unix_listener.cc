// Listening on a path. A Unix socket's file outlives a killed server, and nothing but trying to connect tells
// a stale file from a live server; between that test and the new bind() another server could start. A lock on
// a sibling file closes the gap. The lock file is never removed: whoever removes one may remove it under
// somebody who just opened it.
#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transport/link/socket.h"

namespace leat::transport {
namespace {

std::expected<Descriptor, int> lock_beside(const std::string& path) {
  Descriptor lock(open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
  if (!lock) return std::unexpected(errno);
  while (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return std::unexpected(errno == EWOULDBLOCK ? EADDRINUSE : errno);
  }
  return lock;
}

// Whether a server answers behind the file: 0 if none does (the file is stale or gone), else the errno to
// report.
int probe(const SocketAddress& address) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return errno;
  if (connect(socket.get(), address.data(), address.size()) == 0) return EADDRINUSE;
  switch (errno) {
    case ECONNREFUSED:
    case ENOENT: return 0;
    case EACCES:
    case EPERM: return EACCES;
    default:  // EAGAIN: a live server whose backlog is full; EPROTOTYPE: a socket of another kind
      return EADDRINUSE;
  }
}

}  // namespace

Result<ListenSocket> ListenSocket::open_unix(std::string_view scheme, std::string_view path,
                                             const ListenLimits& limits) {
  auto address = unix_address(scheme, path);
  if (!address) return failure(std::move(address.error()));
  const std::string url = make_url(scheme, path);
  const std::string file(path);
  auto lock = lock_beside(file);
  if (!lock) return failure(listen_failure(url, lock.error()));

  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return failure(listen_failure(url, errno));
  int error = bind(socket.get(), address->data(), address->size()) == 0 ? 0 : errno;
  if (error == EADDRINUSE) {
    struct stat there{};
    if (lstat(file.c_str(), &there) == 0 && !S_ISSOCK(there.st_mode)) {
      return failure(Code::kAlreadyExists,
                     url + ": a file that is not a socket is in the way; remove it, or choose another path");
    }
    error = probe(*address);
    if (error == 0) {
      unlink(file.c_str());
      error = bind(socket.get(), address->data(), address->size()) == 0 ? 0 : errno;
    }
  }
  if (error == 0 && listen(socket.get(), limits.backlog) != 0) error = errno;
  struct stat made{};
  if (error == 0 && lstat(file.c_str(), &made) != 0) error = errno;
  if (error != 0) return failure(listen_failure(url, error));

  ListenSocket result;
  result.socket_ = std::move(socket);
  result.lock_ = std::move(*lock);
  result.url_ = url;
  result.path_ = file;
  result.owner_ = getpid();
  result.device_ = made.st_dev;
  result.inode_ = made.st_ino;
  return result;
}

void ListenSocket::close() noexcept {
  struct stat there{};
  if (!path_.empty() && owner_ == getpid() && lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ &&
      there.st_ino == inode_) {
    unlink(path_.c_str());
  }
  path_.clear();
  socket_.reset();
  lock_.reset();
}

}  // namespace leat::transport
