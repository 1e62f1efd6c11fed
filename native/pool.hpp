// A small persistent thread pool. The caller always works too, so a loop finishes even where no worker ever wakes.
#pragma once
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace native {

class Pool {
  public:
    static Pool& instance() {
        // Leaked on purpose: workers may outlive static destruction. A forked child has no workers, and perhaps a mutex locked by one
        // that is gone, so it starts a pool of its own.
        static std::atomic<Pool*> pool{nullptr};
        static const int registered = pthread_atfork(nullptr, nullptr, [] { pool = nullptr; });
        static_cast<void>(registered);
        Pool* found = pool.load();
        if (!found) {
            Pool* fresh = new Pool;
            if (pool.compare_exchange_strong(found, fresh)) found = fresh;
            else delete fresh;
        }
        return *found;
    }

    // Runs body(i) for i in [0, count) on up to `threads` threads. Which thread runs an item never changes its result. An exception
    // ends the loop: items that have not begun are left out, and the exception of the first failed item is thrown here.
    void run(int count, int threads, const std::function<void(int)>& body) {
        threads = std::min(threads, count);  // no more workers than there can be work for
        if (threads <= 1 || !busy_.try_lock()) {
            for (int i = 0; i < count; ++i) body(i);
            return;
        }
        std::lock_guard<std::mutex> release(busy_, std::adopt_lock);
        auto job = std::make_shared<Job>();
        job->count = count;
        job->body = &body;
        job->helpers = threads - 1;
        {
            std::lock_guard<std::mutex> lock(mutex_);
            try {
                while (workers_ < threads - 1) {
                    std::thread([this] { work(); }).detach();
                    ++workers_;
                }
            } catch (const std::system_error&) {
                // No more threads to be had: those that there are do the work.
            }
            job_ = job;
            ++generation_;
        }
        wake_.notify_all();
        job->take();
        while (job->done.load(std::memory_order_acquire) < count) std::this_thread::yield();
        if (job->failure) std::rethrow_exception(job->failure);
    }

  private:
    struct Job {
        int count = 0;
        const std::function<void(int)>* body = nullptr;
        std::atomic<int> next{0}, done{0}, helpers{0};
        std::atomic<bool> failed{false};
        std::mutex mutex;
        int first = 0;
        std::exception_ptr failure;
        void take() {
            for (int i; (i = next.fetch_add(1)) < count;) {
                if (!failed.load(std::memory_order_relaxed)) {
                    try {
                        (*body)(i);
                    } catch (...) {
                        std::lock_guard<std::mutex> lock(mutex);
                        if (!failure || i < first) failure = std::current_exception(), first = i;
                        failed = true;
                    }
                }
                done.fetch_add(1, std::memory_order_release);
            }
        }
    };

    void work() {
        unsigned long seen = 0;
        for (;;) {
            std::shared_ptr<Job> job;
            {
                std::unique_lock<std::mutex> lock(mutex_);
                wake_.wait(lock, [&] { return generation_ != seen; });
                seen = generation_;
                job = job_;
            }
            if (job && job->helpers.fetch_sub(1) > 0) job->take();
        }
    }

    std::mutex busy_, mutex_;
    std::condition_variable wake_;
    std::shared_ptr<Job> job_;
    unsigned long generation_ = 0;
    int workers_ = 0;
};

}  // namespace native
